"""Reads the members of tar archives, and limits the size of their headers."""

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import IO, Final, cast

from covidscan.scoring.archive_kind import BZIP2, GZIP, LZMA, XZ
from covidscan.scoring.inflate import (
    Inflated,
    bzip2_decompressor,
    gzip_decompressor,
    xz_decompressor,
)
from system.regular_files import open_regular_reader

_DECOMPRESSORS: Final = {
    GZIP: gzip_decompressor,
    BZIP2: bzip2_decompressor,
    XZ: xz_decompressor,
    LZMA: xz_decompressor,
}
"""Decompressors by the first bytes of a file."""

_BLOCK_BYTES: Final = 512
_PIECE_BYTES: Final = 1 << 16
_MAX_HEADER_BYTES: Final = 1 << 16
"""For one member with all extensions: a path has at most 4 KiB, and attributes little more."""


class TarDamageError(Exception):
    """The archive is cut off, or is crafted to exhaust memory."""


TAR_ERRORS: Final = (
    *(TarDamageError, tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError),
    # Invalid or too large numbers in headers, and nested extensions.
    *(ValueError, ArithmeticError, RecursionError),
)
"""The exceptions raised by an archive that is damaged, or that is not a tar archive."""


_Sparse = list[tuple[int, int]] | None


class MemberKind(Enum):
    """The type of a member."""

    REGULAR = auto()
    FOLDER = auto()
    HARD_LINK = auto()
    SYMBOLIC_LINK = auto()
    SPECIAL = auto()


@dataclass(frozen=True, slots=True)
class TarMember:
    """What is needed to read a member. There may be a million of them."""

    name: str
    kind: MemberKind
    target: str
    """The target, if the member is a link."""
    offset: int
    """Position of its data in the decompressed archive, in bytes."""
    size: int
    sparse: "_Sparse"
    """Offset and size of its pieces, if it is sparse."""


@contextmanager
def open_tar(path: Path) -> Iterator["TarReader"]:
    """Open a tar archive, compressed or not.

    Raises:
        TAR_ERRORS: it is not a tar archive, or its first header is damaged.
    """
    with open_regular_reader(path) as file:
        start = file.read(max(map(len, _DECOMPRESSORS)))
        file.seek(0)
        make = next((made for sign, made in _DECOMPRESSORS.items() if start.startswith(sign)), None)
        if make is None:
            yield TarReader(file)
        else:
            yield TarReader(io.BufferedReader(Inflated(file, make, lambda: file.seek(0))))


class TarReader:
    """A tar archive.

    Args:
        file: the decompressed archive.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._headers = _BoundedHeaders(file)
        with self._headers.bounded():
            self._archive = tarfile.TarFile(
                fileobj=self._headers,  # type: ignore[arg-type]
                encoding="utf-8",
                errors="surrogateescape",
            )

    def members(self) -> Iterator[TarMember]:
        """Yield all members, in the order of the archive."""
        while True:
            with self._headers.bounded():
                info = self._archive.next()
            # ``tarfile`` would keep them all in memory.
            self._archive.members.clear()  # type: ignore[attr-defined]
            if info is None:
                return
            yield TarMember(
                *(info.name, _kind(info), info.linkname, info.offset_data, info.size),
                sparse=cast("_Sparse", info.sparse),
            )

    def check_end(self) -> None:
        """Check that the archive ends properly, and is not truncated or damaged.

        ``tarfile`` treats anything that is not a header as the end.

        Raises:
            TarDamageError: the archive does not end properly.
        """
        end = self._headers.last_header
        if len(end) < _BLOCK_BYTES:
            raise TarDamageError("it is cut off")
        if any(end):
            raise TarDamageError("a header is damaged, and nothing after it was read")
        while rest := self._headers.read(_PIECE_BYTES):
            if any(rest):
                raise TarDamageError("another archive follows after its end and was not read")

    def read(self, member: TarMember, size: int) -> bytes:
        """Return the first bytes of a regular member."""
        info = tarfile.TarInfo(member.name)
        info.offset_data, info.size = member.offset, member.size
        info.sparse = member.sparse  # type: ignore[assignment]
        content = self._archive.extractfile(info)
        return b"" if content is None else content.read(size)


def _kind(info: tarfile.TarInfo) -> MemberKind:
    if info.isreg():
        return MemberKind.REGULAR
    if info.isdir():
        return MemberKind.FOLDER
    if info.islnk():
        return MemberKind.HARD_LINK
    return MemberKind.SYMBOLIC_LINK if info.issym() else MemberKind.SPECIAL


class _BoundedHeaders:
    """An archive whose headers may not exceed ``_MAX_HEADER_BYTES``.

    ``tarfile`` reads extended headers as a whole, whatever size they claim.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left: int | None = None
        self.last_header = b""

    @contextmanager
    def bounded(self) -> Iterator[None]:
        """Apply the limit while headers are read."""
        self._left = _MAX_HEADER_BYTES
        try:
            yield
        finally:
            self._left = None

    def read(self, size: int = -1) -> bytes:
        """Return bytes from the current position."""
        if self._left is None:
            return self._file.read(size)
        self._left -= size
        if size < 0 or self._left < 0:
            raise TarDamageError(f"a header has more than {_MAX_HEADER_BYTES} bytes")
        data = self._file.read(size)
        if size == _BLOCK_BYTES:
            self.last_header = data
        return data

    def seek(self, offset: int) -> int:
        """Go to a position."""
        return self._file.seek(offset)

    def tell(self) -> int:
        """Return the current position."""
        return self._file.tell()
