"""The versioned volume ``models/<name>/<version>/``; versions are published atomically.

A model server polls the volume and at once loads every child of ``<name>`` whose name is an
integer. So a version is written to a hidden sibling and then renamed. A number is never used again,
because a server tries each number only once.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serving.errors import VolumeError
from serving.volume.write_errors import writing
from system.regular_files import read_regular_file
from system.replacement import replacing

DEFAULT_MODELS_DIR: Final = Path("models")
"""The volume, if no other is given."""

DEFAULT_VERSIONS_KEPT: Final = 3
"""How many versions are kept for rollback, including the newest."""

EXTRA_ASSETS: Final = "assets.extra"
"""The folder of a version for files that are not part of the SavedModel: the model card, the
digests of the training images, and TensorFlow Serving's warm-up records."""

_LARGEST_VERSION: Final = 2**63 - 1
"""A version is an int64 in the protocol."""

KERNEL_PATHS: Final = ("/proc", "/sys", "/dev")
"""Kernel file systems; ``/proc/self/fd`` would look like a model with many versions."""
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - only compared, never written
"""An ordinary file system below ``/dev``."""

_DRAFT_PREFIX: Final = ".draft-"
_LAST_VERSION_FILE: Final = ".last_version"
_NOTE_BYTES: Final = 32
_READABLE: Final = 0o644
"""By the model server, which may be another user."""
_VERSION_BYTES: Final = 128 * 1024 * 1024
"""A version of ResNet50, the largest, has 94 MB."""


@dataclass
class Draft:
    """An unpublished version: write into ``path``; ``version`` is its number once published."""

    path: Path
    version: int | None = None


def versions(models_dir: Path, name: str) -> list[int]:
    """The published versions of a model, ascending."""
    model_dir = models_dir / name
    if not model_dir.is_dir():
        return []
    return sorted(int(child.name) for child in model_dir.iterdir() if is_version_dir(child))


def missing(models_dir: Path, names: Iterable[str]) -> list[str]:
    """The models that have no version."""
    return [name for name in names if not versions(models_dir, name)]


def is_version_dir(path: Path) -> bool:
    """Whether a child of a model's directory is a version, by TensorFlow Serving's rules."""
    return _is_number(path.name) and path.is_dir()


def is_kernel_path(path: str) -> bool:
    """Whether a path, as written, is in a kernel file system."""
    # normpath keeps two leading slashes, as POSIX requires.
    written = Path("/" + os.path.normpath(path).lstrip("/"))
    if written.is_relative_to(_SHARED_MEMORY):
        return False
    return any(written.is_relative_to(root) for root in KERNEL_PATHS)


def version_candidates(model_dir: Path) -> dict[int, Path]:
    """What a model server treats as versions, by number: every child whose name is an integer.

    This includes plain files, so that a server can report what is wrong with them.

    Raises:
        VolumeError: the directory does not exist, cannot be read, or is in a kernel file system.
    """
    try:
        # A link may lead to a kernel file system, too.
        if is_kernel_path(os.path.realpath(model_dir)):
            raise VolumeError(f"{model_dir} cannot hold models: it is in a kernel file system")
        children = sorted(child for child in model_dir.iterdir() if _is_number(child.name))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise VolumeError(f"{model_dir} cannot be read: {reason}") from error
    return {int(child.name): child for child in children}


def version_dir(models_dir: Path, name: str, version: int) -> Path:
    """The directory of a version; its name may have leading zeros.

    Raises:
        VolumeError: there is no such version.
    """
    model_dir = models_dir / name
    if model_dir.is_dir():
        for child in model_dir.iterdir():
            if is_version_dir(child) and int(child.name) == version:
                return child
    raise VolumeError(f"model {name} has no version {version}")


@contextlib.contextmanager
def draft(models_dir: Path, name: str, *, keep: int = DEFAULT_VERSIONS_KEPT) -> Iterator[Draft]:
    """Publish a new version of a model, or nothing at all.

    The body writes into ``draft.path``. If it succeeds, the draft is flushed to disk and renamed to
    the next number, and all but the newest ``keep`` versions are removed. If it raises, the draft
    is removed and the volume is unchanged.

    Raises:
        VolumeError: the volume cannot be written.
    """
    model_dir = models_dir / name
    with writing(name):
        model_dir.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX, dir=model_dir))
    work = Draft(path=staging)
    try:
        yield work
        with writing(name):
            work.version = _publish(model_dir, staging)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    prune(models_dir, name, keep=keep)


def check_writable(models_dir: Path, *names: str) -> None:
    """Check that versions can be published, before hours of training.

    Raises:
        VolumeError: the volume cannot be written, or has no space for a version of each model.
    """
    for name in names:
        with writing(name):
            (models_dir / name).mkdir(parents=True, exist_ok=True)
            Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX, dir=models_dir / name)).rmdir()
    with writing(", ".join(names)):
        free = shutil.disk_usage(models_dir).free
    needed = len(names) * _VERSION_BYTES
    if free < needed:
        raise VolumeError(
            f"{models_dir} has {free >> 20} MiB left, and new versions may need {needed >> 20} MiB:"
            " make room, or remove old versions with `covidscan models prune`"
        )


def prune(models_dir: Path, name: str, *, keep: int) -> list[int]:
    """Remove all but the newest ``keep`` versions; returns the removed numbers.

    Raises:
        VolumeError: the volume cannot be written.
    """
    if keep < 1:
        raise ValueError("at least one version must be kept")
    gone = versions(models_dir, name)[:-keep]
    for version in gone:
        try:
            remove(models_dir, name, version)
        except VolumeError:
            # Another publisher may have removed it at the same moment.
            if version in versions(models_dir, name):
                raise
    return gone


def remove(models_dir: Path, name: str, version: int) -> None:
    """Remove a version permanently; its number is never used again.

    Raises:
        VolumeError: there is no such version, or the volume cannot be written.
    """
    doomed = version_dir(models_dir, name, version)
    with writing(name):
        _note_last_version(models_dir / name, _next_version(models_dir / name) - 1)
        # Renamed first, so that no server ever sees a partly removed version.
        trash = Path(tempfile.mkdtemp(prefix=_DRAFT_PREFIX, dir=models_dir / name))
        doomed.rename(trash / doomed.name)
        shutil.rmtree(trash)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal() and int(name) <= _LARGEST_VERSION


def _publish(model_dir: Path, staging: Path) -> int:
    # mkdtemp creates 0700, which a model server of another user could not read.
    staging.chmod(0o755)
    _fsync_tree(staging)
    version = _next_version(model_dir)
    while True:
        _note_last_version(model_dir, version)
        try:
            staging.rename(model_dir / str(version))
        except OSError as error:
            # Another publisher may have taken the number since it was chosen.
            if not (model_dir / str(version)).exists():
                raise VolumeError(f"cannot publish version {version}: {error.strerror}") from error
            version += 1
        else:
            break
    _fsync(model_dir)
    return version


def _next_version(model_dir: Path) -> int:
    used = versions(model_dir.parent, model_dir.name)
    note = model_dir / _LAST_VERSION_FILE
    with contextlib.suppress(FileNotFoundError):
        try:
            used.append(int(read_regular_file(note, max_bytes=_NOTE_BYTES)))
        except ValueError as error:
            raise VolumeError(f"{note} does not contain a number; remove it") from error
    return max(used, default=0) + 1


def _note_last_version(model_dir: Path, version: int) -> None:
    with replacing(model_dir / _LAST_VERSION_FILE, mode=_READABLE) as file:
        file.write(f"{version}\n".encode())


def _fsync_tree(root: Path) -> None:
    for directory, _, files in os.walk(root):
        for file in files:
            _fsync(Path(directory) / file)
        _fsync(Path(directory))


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
