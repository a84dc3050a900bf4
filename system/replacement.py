"""Files that are replaced completely or not at all."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

_BY_UMASK: Final = 0o666


@contextmanager
def replacing(
    path: Path, *, mode: int | None = None, keep_owner: bool = False
) -> Iterator[BinaryIO]:
    """Write a draft beside a file; the draft replaces the file once it is on the disk.

    The draft has a name of its own, so that two writers do not disturb each other. A file that is
    replaced keeps its mode. If the block raises, the draft is removed.

    Args:
        path: the file.
        mode: of a new file; by default determined by the umask.
        keep_owner: whether a replaced file keeps its owner and group, too.

    Raises:
        OSError: it cannot be written; an existing file is unchanged.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode or _BY_UMASK)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _set_access(path, descriptor, mode, keep_owner=keep_owner)
            yield file
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _set_access(path: Path, descriptor: int, mode: int | None, *, keep_owner: bool) -> None:
    try:
        before = path.stat()
    except FileNotFoundError:
        if mode is not None:
            os.fchmod(descriptor, mode)
        return
    if keep_owner:
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
