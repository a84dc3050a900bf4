"""A folder for a socket, which only this user may reach and cleaners of ``/tmp`` leave alone."""

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = "covidscan-"
_MAX_PATH_BYTES: Final = 80
"""Of the 107 that the path of a Unix socket may have, the rest is for its name."""
_SHORT: Final = "/tmp"  # noqa: S108 - a folder that nobody else can have made is made there
"""Where the folder for temporary files has a longer path."""


class PrivateFolder:
    """A temporary folder of mode 0700, made anew under the same name where it vanishes.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        if len(os.fsencode(self.path)) > _MAX_PATH_BYTES:
            self.path.rmdir()
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_SHORT))
        self._lock = _lock(self.path)

    def restore(self) -> None:
        """Make sure that it is there, and is ours alone.

        Raises:
            PermissionError: somebody else has made something of its name.
            OSError: it cannot be made.
        """
        with suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
            before, self._lock = self._lock, _lock(self.path)
            os.close(before)
        found = self.path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{self.path} belongs to somebody else")
        self.path.chmod(0o700)

    def remove(self) -> None:
        """Remove it and all that is in it; it may be gone already."""
        os.close(self._lock)
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)


def _lock(folder: Path) -> int:
    """Hold a folder: systemd-tmpfiles removes nothing of one that somebody has locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    # Where it cannot be locked, it is made anew after it has been removed.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor
