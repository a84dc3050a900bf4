"""Lists all files in a folder, and counts what is left out and why."""

import errno
import os
import stat
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from system.names import is_system_file


class LeftOut(StrEnum):
    """Why an entry of a folder or archive is left out."""

    SYSTEM = "hidden or system files"
    SPECIAL = "devices, pipes or sockets"
    LINK_NOWHERE = "links to nothing"
    LINK_OUTSIDE = "links that lead out of the archive"
    LINK_LOOP = "links that lead in a circle"
    LINK_FOLDER = "links to folders that are read under their own names"


@dataclass
class FolderListing:
    """The content of a folder, at any depth."""

    names: list[str] = field(default_factory=list)
    """Regular files, relative to the folder, as named in the file system; in no particular
    order."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Folders that could not be listed, relative to the folder, and why."""
    left_out: Counter[LeftOut] = field(default_factory=Counter)


def list_folder(root: Path) -> FolderListing:
    """List a folder and all folders below it.

    Links are followed, even out of the folder. A folder that can be reached by several paths is
    listed once, under its own name if it is inside the root.

    Raises:
        OSError: the folder itself cannot be listed.
    """
    os.scandir(root).close()
    return _Walk(root).listing


class _Walk:
    def __init__(self, root: Path) -> None:
        self.listing = FolderListing()
        self._root = root
        self._visited: set[tuple[int, int]] = set()
        self._waiting, self._linked, self._hidden = deque([""]), deque[str](), deque[str]()
        self._visit_all()
        # Links come after real folders, so that these are listed under their own names.
        while self._linked:
            self._waiting.append(self._linked.popleft())
            before = len(self._visited)
            self._visit_all()
            if len(self._visited) == before:
                self.listing.left_out[LeftOut.LINK_FOLDER] += 1
        # Hidden folders come last and are only counted: links may lead to files in them.
        self._waiting = self._hidden
        self._visit_all()

    def _visit_all(self) -> None:
        while self._waiting:
            name = self._waiting.popleft()
            try:
                self._visit(name)
            except OSError as error:
                if is_system_file(name):
                    self.listing.left_out[LeftOut.SYSTEM] += 1
                else:
                    self.listing.unreadable[name] = error.strerror or "it cannot be listed"

    def _visit(self, name: str) -> None:
        status = (self._root / name).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self._visited:
            return
        self._visited.add(identity)
        with os.scandir(self._root / name) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                self._add(entry, f"{name}{os.sep}{entry.name}" if name else entry.name)

    def _add(self, entry: os.DirEntry[str], name: str) -> None:
        left_out = self.listing.left_out
        try:
            mode = entry.stat().st_mode
        except FileNotFoundError:
            left_out[LeftOut.SYSTEM if is_system_file(name) else LeftOut.LINK_NOWHERE] += 1
            return
        except OSError as error:
            if error.errno == errno.ELOOP:
                left_out[LeftOut.LINK_LOOP] += 1
                return
            # Opening the file will fail for the same reason, and its row will say so.
            mode = stat.S_IFREG
        hidden = is_system_file(name)
        if stat.S_ISDIR(mode) and not entry.is_symlink():
            (self._hidden if hidden else self._waiting).append(name)
        elif hidden:
            left_out[LeftOut.SYSTEM] += 1
        elif stat.S_ISDIR(mode):
            self._linked.append(name)
        elif stat.S_ISREG(mode):
            self.listing.names.append(name)
        else:
            left_out[LeftOut.SPECIAL] += 1
