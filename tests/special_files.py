"""Files that block, or never end, when they are opened like ordinary ones."""

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
"""By what they are: makes one at a path that is free."""


def replace_by(kind: str, path: Path) -> None:
    """Put a special file where an ordinary one is or could be."""
    path.unlink(missing_ok=True)
    SPECIAL_FILES[kind](path)
