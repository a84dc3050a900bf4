"""A folder for a socket. Only this user can access it, and cleaners of ``/tmp`` leave it alone."""

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from system.socket_paths import temporary_folder_for_sockets

_PREFIX: Final = "covidscan-"
_SOCKET_BYTES: Final = 46
"""A slash, the prefix, eight random characters, and at most 27 bytes for the socket's name."""


class PrivateFolder:
    """A temporary folder of mode 0700, recreated under the same name if it vanishes.

    Raises:
        OSError: it cannot be created.
    """

    def __init__(self) -> None:
        parent = temporary_folder_for_sockets(further_bytes=_SOCKET_BYTES)
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock = _lock(self.path)

    def restore(self) -> None:
        """Make sure that the folder exists and belongs to this user alone.

        Raises:
            PermissionError: something of its name belongs to another user.
            OSError: it cannot be created.
        """
        with suppress(FileExistsError):
            self.path.mkdir(mode=0o700)
            before, self._lock = self._lock, _lock(self.path)
            os.close(before)
        found = self.path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{self.path} belongs to another user")
        self.path.chmod(0o700)

    def remove(self) -> None:
        """Remove the folder and its contents. It may already be gone."""
        os.close(self._lock)
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)


def _lock(folder: Path) -> int:
    """Lock a folder: systemd-tmpfiles does not remove anything in a locked folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    # If it cannot be locked, it is recreated after it has been removed.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor
