"""Files that are replaced completely or not at all."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

_READABLE: Final = 0o644


@contextmanager
def replacing(path: Path, *, mode: int = _READABLE) -> Iterator[BinaryIO]:
    """Write a draft beside a file, and put it in the place of the file once it is on the disk.

    The draft has a name of its own, so that two writers do not disturb each other. A file that is
    replaced keeps its owner and mode. If the block raises, the draft is removed.

    Args:
        path: the file.
        mode: of a file that is not there yet.

    Raises:
        OSError: it cannot be written; a file that was there is unchanged.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _take_over(path, descriptor, mode)
            yield file
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _take_over(path: Path, descriptor: int, mode: int) -> None:
    try:
        before = path.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, mode)
    else:
        os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
