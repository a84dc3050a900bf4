"""Opens files whose paths come from a configuration or a volume, if they are regular files.

Opening a FIFO blocks, reading a device may never end, and opening some devices has side effects. So
the type of a file is checked before and after it is opened, opening never blocks, and the number of
bytes read is limited. Links to regular files are accepted.

::

    OSError
    ├── NotRegularFileError   a FIFO, socket, device or folder
    ├── FileTooLargeError     more than its purpose needs
    └── TooManyFilesError     a folder with more or deeper files than any model has
"""

import errno
import io
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from system.deadlines import call_with_deadline

MAX_CONFIG_BYTES: Final = 16 * 1024 * 1024
"""For files written by people or tools: configurations, keys, certificates, model cards."""
CONFIG_SECONDS: Final = 5.0
"""The time limit for reading such a file, which may be on a hanging mount."""

_MAX_FILES: Final = 10_000
_MAX_DEPTH: Final = 16
_READ_BYTES: Final = 1024 * 1024


class NotRegularFileError(OSError):
    """The path names a FIFO, a socket, a device or a folder."""

    def __init__(self, path: Path, mode: int) -> None:
        if stat.S_ISDIR(mode):
            super().__init__(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        else:
            super().__init__(errno.EINVAL, "not a regular file", str(path))


class FileTooLargeError(OSError):
    """The file has more bytes than its purpose needs."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(errno.EFBIG, f"larger than {max_bytes} bytes", str(path))


class TooManyFilesError(OSError):
    """The folder has more or deeper files than any model has."""

    def __init__(self, folder: Path) -> None:
        super().__init__(errno.EMLINK, "too many files or folders", str(folder))


def open_regular_descriptor(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a regular file with any flags, without blocking; returns its descriptor.

    Args:
        path: of the file, or of a link to it.
        flags: for ``os.open``; ``O_CREAT`` creates a new file.
        mode: of a new file.

    Raises:
        NotRegularFileError: it is not a regular file.
        OSError: the file cannot be opened.
    """
    try:
        _check(path, path.stat().st_mode)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, mode)
    try:
        # The path may have been replaced by another file meanwhile.
        _check(path, os.fstat(descriptor).st_mode)
    except NotRegularFileError:
        os.close(descriptor)
        raise
    return descriptor


def open_regular_reader(path: Path) -> io.BufferedReader:
    """Open a regular file for reading in binary mode, without blocking.

    Raises:
        NotRegularFileError: it is not a regular file.
        OSError: the file cannot be opened.
    """
    return os.fdopen(open_regular_descriptor(path, os.O_RDONLY), "rb")


def read_regular_file(path: Path, *, max_bytes: int) -> bytes:
    """Read all of a regular file.

    Raises:
        NotRegularFileError: it is not a regular file.
        FileTooLargeError: it has more than ``max_bytes``.
        OSError: it cannot be read.
    """
    descriptor = open_regular_descriptor(path, os.O_RDONLY)
    try:
        if os.fstat(descriptor).st_size > max_bytes:
            raise FileTooLargeError(path, max_bytes)
        content = bytearray()
        # The reported size is not trusted: files in /proc have none, and a file may grow meanwhile.
        while chunk := os.read(descriptor, _READ_BYTES):
            content += chunk
            if len(content) > max_bytes:
                raise FileTooLargeError(path, max_bytes)
    finally:
        os.close(descriptor)
    return bytes(content)


def read_config_file(path: Path) -> bytes:
    """Read a configuration file, with a time limit.

    Raises:
        NotRegularFileError: it is not a regular file.
        FileTooLargeError: it has more than ``MAX_CONFIG_BYTES``.
        TimeoutError: it could not be read within ``CONFIG_SECONDS``.
        OSError: it cannot be read.
    """
    return call_with_deadline(
        lambda: read_regular_file(path, max_bytes=MAX_CONFIG_BYTES), seconds=CONFIG_SECONDS
    )


def unreadable_reason(error: OSError | UnicodeDecodeError) -> str:
    """Why a file cannot be read, without its path."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    return error.strerror or type(error).__name__


def check_regular_files(folder: Path, *, ignoring: Collection[str] = ()) -> None:
    """Check that a folder contains only regular files and folders, at any depth.

    Args:
        folder: to check.
        ignoring: names of children that are not checked.

    Raises:
        NotRegularFileError: it contains something else.
        TooManyFilesError: there are more files than any model has, or links form a cycle.
        OSError: a folder cannot be read.
    """
    for count, _ in enumerate(_regular_files(folder, depth=0, ignoring=ignoring)):
        if count >= _MAX_FILES:
            raise TooManyFilesError(folder)


def _regular_files(folder: Path, *, depth: int, ignoring: Collection[str] = ()) -> Iterator[Path]:
    if depth > _MAX_DEPTH:
        raise TooManyFilesError(folder)
    for child in sorted(folder.iterdir()):
        if child.name in ignoring:
            continue
        try:
            mode = child.stat().st_mode
        except FileNotFoundError:
            # A broken link cannot be opened anyway.
            continue
        if stat.S_ISDIR(mode):
            yield from _regular_files(child, depth=depth + 1)
        else:
            _check(child, mode)
        yield child


def _check(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotRegularFileError(path, mode)
