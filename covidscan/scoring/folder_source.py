"""The files of a folder on this machine."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from covidscan.scoring.source import UNREADABLE, Fault, File
from system.folder import LeftOut, list_folder
from system.names import UniqueNames


class FolderSource:
    """A folder with all its subfolders.

    Args:
        path: the folder.

    Raises:
        OSError: it cannot be listed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # Names only. A million of them take some hundred megabytes.
        listing = list_folder(path)
        self._names = sorted([*listing.names, *listing.unreadable])
        self._unreadable = listing.unreadable
        self.left_out: Counter[LeftOut] = listing.left_out

    @property
    def count(self) -> int | None:
        """The number of files, plus one for each folder that cannot be listed."""
        return len(self._names)

    def files(self, *, skip: frozenset[str]) -> Iterator[File]:
        """Yield all files except those named in ``skip``."""
        names = UniqueNames()
        for raw in self._names:
            name = names.add(raw)
            if name in skip:
                continue
            if raw in self._unreadable:
                detail = f"the folder cannot be listed: {self._unreadable[raw]}"
                yield File(name, fault=Fault(UNREADABLE, detail, lasting=False))
            else:
                yield File(name, self._path / raw)
