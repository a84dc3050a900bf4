"""Special files, which block or never end if they are opened like regular ones."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

SPECIAL_FILES: dict[str, Callable[[Path], None]] = {
    "FIFO": os.mkfifo,
    "socket": lambda path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "folder": Path.mkdir,
    "link to a FIFO": lambda path: (
        os.mkfifo(path.with_name(f"{path.name}.fifo")),
        path.symlink_to(f"{path.name}.fifo"),
    )[-1],
}
"""By kind, a function that creates one at an unused path."""


def replace_by(kind: str, path: Path) -> None:
    """Create a special file at a path, in place of the regular file there, if any."""
    path.unlink(missing_ok=True)
    SPECIAL_FILES[kind](path)
