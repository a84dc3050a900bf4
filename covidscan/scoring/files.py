"""The files of a folder or an archive, one after another and never larger than a limit."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

_MEMBER_ERRORS: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(OSError, RuntimeError, NotImplementedError),
)
"""What a member raises that is damaged, encrypted, or packed in a way that is not known."""


class SourceError(Exception):
    """The folder or archive cannot be read."""


@dataclass(frozen=True)
class File:
    """A file to be scored."""

    name: str
    """Relative to the folder, or as the archive has it."""
    path: Path | None
    """Where it can be read, if it lies on a disk."""
    data: bytes | None
    """Its content, at most one byte more than the limit, if it came out of an archive."""

    def read(self, limit_bytes: int) -> bytes:
        """Its content, at most one byte more than the limit.

        Raises:
            OSError: it cannot be read.
        """
        if self.data is not None:
            return self.data
        if self.path is None:
            raise OSError("the file is nowhere")
        with self.path.open("rb") as file:
            return file.read(limit_bytes + 1)


class Source(Protocol):
    """Where files come from, in the same order each time."""

    @property
    def count(self) -> int | None:
        """How many there are; None where that is known at the end alone."""

    def files(self, *, skip: frozenset[str]) -> Iterator[File]:
        """All but those of these names."""


def open_source(path: Path, *, limit_bytes: int) -> Source:
    """A folder, a ZIP archive or a tar archive.

    Raises:
        SourceError: it is none of these, or cannot be read.
    """
    if path.is_dir():
        return _Folder(path)
    try:
        if zipfile.is_zipfile(path):
            return _Zip(path, limit_bytes)
        if tarfile.is_tarfile(path):
            return _Tar(path, limit_bytes)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error
    raise SourceError(f"{path} is neither a folder nor a ZIP or tar archive")


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path
        # Names only: a million of them are some hundred megabytes.
        self._names = sorted(
            str(file.relative_to(path))
            for file in path.rglob("*")
            if file.is_file() and not file.name.startswith(".")
        )

    @property
    def count(self) -> int | None:
        return len(self._names)

    def files(self, *, skip: frozenset[str]) -> Iterator[File]:
        for name in self._names:
            if name not in skip:
                yield File(name, self._path / name, None)


class _Zip:
    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path, self._limit_bytes = path, limit_bytes
        try:
            with zipfile.ZipFile(path) as archive:
                self._names = [each.filename for each in archive.infolist() if not each.is_dir()]
        except zipfile.BadZipFile as error:
            raise SourceError(f"{path} is damaged") from error

    @property
    def count(self) -> int | None:
        return len(self._names)

    def files(self, *, skip: frozenset[str]) -> Iterator[File]:
        with zipfile.ZipFile(self._path) as archive:
            for name in self._names:
                if name not in skip:
                    yield File(name, None, self._read(archive, name))

    def _read(self, archive: zipfile.ZipFile, name: str) -> bytes:
        try:
            with archive.open(name) as member:
                return member.read(self._limit_bytes + 1)
        except _MEMBER_ERRORS:
            # Its row then says that it cannot be unpacked.
            return b""


class _Tar:
    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path, self._limit_bytes = path, limit_bytes

    @property
    def count(self) -> int | None:
        # It would have to be unpacked to be counted.
        return None

    def files(self, *, skip: frozenset[str]) -> Iterator[File]:
        try:
            with tarfile.open(self._path) as archive:
                for member in archive:
                    if member.isfile() and member.name not in skip:
                        content: IO[bytes] | None = archive.extractfile(member)
                        data = content.read(self._limit_bytes + 1) if content else b""
                        yield File(member.name, None, data)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise SourceError(f"{self._path} is damaged") from error
