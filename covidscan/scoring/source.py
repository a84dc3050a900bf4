"""The interface of a folder or archive for scoring: a sequence of files, each within a limit."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from system.folder import LeftOut
from system.regular_files import open_regular_reader


class SourceError(Exception):
    """The folder or archive cannot be read."""


class DamagedArchiveError(SourceError):
    """The archive cannot be read any further. What came before is valid."""


@dataclass(frozen=True)
class Fault:
    """Why a file cannot be read."""

    problem: str
    detail: str
    lasting: bool = True
    """Whether another attempt would fail as well."""


UNREADABLE: Final = "unreadable"
"""The problem of files that the disk fails to deliver."""


@dataclass(frozen=True)
class File:
    """A file to be scored."""

    name: str
    """Readable and unique: relative to the folder, or as in the archive."""
    path: Path | None = None
    """Where to read it, if it lies on a disk."""
    data: bytes | None = None
    """The content of a file from an archive, at most one byte more than the limit."""
    fault: Fault | None = None
    """Set instead of path and data if the file cannot be read."""

    def read(self, limit_bytes: int) -> bytes:
        """Return the content, at most one byte more than the limit; empty if the file has a fault.

        Raises:
            OSError: it cannot be read.
        """
        if self.path is None:
            return self.data or b""
        with open_regular_reader(self.path) as file:
            return file.read(limit_bytes + 1)


class Source(Protocol):
    """A source of files, with the same order and the same names each time."""

    left_out: Counter[LeftOut]
    """The number of entries without a row, by reason. Complete once all files were yielded."""

    @property
    def count(self) -> int | None:
        """The number of files, or None if it is only known at the end."""

    def files(self, *, skip: frozenset[str]) -> Iterator[File]:
        """Yield all files except those named in ``skip``.

        Raises:
            DamagedArchiveError: the archive cannot be read to its end.
            SourceError: the disk reports an error.
        """
