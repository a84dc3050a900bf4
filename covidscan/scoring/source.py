"""What a folder or an archive is to a scoring: files, one after another, within a limit."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from serving.files.folder import LeftOut, open_regular


class SourceError(Exception):
    """The folder or archive cannot be read."""


class DamagedArchiveError(SourceError):
    """The archive cannot be read any further; what came before is good."""


@dataclass(frozen=True)
class Fault:
    """Why a file cannot be read."""

    problem: str
    detail: str
    lasting: bool = True
    """Whether another attempt would fail as well."""


UNREADABLE: Final = "unreadable"
"""The problem of what the disk does not give."""


@dataclass(frozen=True)
class File:
    """A file to be scored."""

    name: str
    """Readable, and no other file's: relative to the folder, or as the archive has it."""
    path: Path | None = None
    """Where it can be read, if it lies on a disk."""
    data: bytes | None = None
    """Its content, at most one byte more than the limit, if it came out of an archive."""
    fault: Fault | None = None
    """Set instead of both where it cannot be read."""

    def read(self, limit_bytes: int) -> bytes:
        """Its content, at most one byte more than the limit; empty if it has a fault.

        Raises:
            OSError: it cannot be read.
        """
        if self.path is None:
            return self.data or b""
        with open_regular(self.path) as file:
            return file.read(limit_bytes + 1)


class Source(Protocol):
    """Where files come from, in the same order and with the same names each time."""

    left_out: Counter[LeftOut]
    """What has no row, and why; complete once all files were given."""

    @property
    def count(self) -> int | None:
        """How many there are; None where that is known at the end alone."""

    def files(self, *, skip: frozenset[str]) -> Iterator[File]:
        """All but those of these names.

        Raises:
            DamagedArchiveError: the archive cannot be read to its end.
            SourceError: the disk gives an error.
        """
