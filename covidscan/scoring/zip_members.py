"""Reads the members of ZIP archives: stored, Deflate, bzip2, LZMA and xz, within a size limit."""

import io
import itertools
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Final

from covidscan.scoring.archive_kind import ZIP_MEMBER
from covidscan.scoring.inflate import (
    INFLATE_ERRORS,
    Decompressor,
    Inflated,
    bzip2_decompressor,
    raw_deflate_decompressor,
    raw_lzma_decompressor,
    xz_decompressor,
)
from covidscan.scoring.source import Fault
from covidscan.scoring.zip_names import stored_name

_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
_LZMA_HEADER: Final = struct.Struct("<2xH")

_ENCRYPTED_FLAG: Final = 0x1
_STRONG_ENCRYPTION_FLAG: Final = 0x40
_MASKED_HEADERS_FLAG: Final = 0x2000
"""Set if the directory is encrypted, too."""
_ENCRYPTION_FLAGS: Final = _ENCRYPTED_FLAG | _STRONG_ENCRYPTION_FLAG | _MASKED_HEADERS_FLAG
_UNIX_MODE_SHIFT: Final = 16
"""The upper half of a member's external attributes is its mode on Unix."""
_AES: Final = 99
_XZ: Final = 95
_UNSUPPORTED_METHODS: Final = {
    1: "Shrink",
    6: "Implode",
    9: "Deflate64",
    93: "Zstandard",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
}


class MemberError(Exception):
    """A member cannot be unpacked."""

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(detail)
        self.fault = Fault(problem, detail)


@dataclass(frozen=True)
class ZipMember:
    """An entry of the archive's directory that is not a folder."""

    info: zipfile.ZipInfo
    name: str
    """Readable and unique."""
    key: str
    """The name that links refer to."""
    overlaps: bool
    """Whether its data reaches into another member's."""

    @property
    def file_type(self) -> int:
        """The file type as in ``stat``; 0 if the archive does not say."""
        return stat.S_IFMT(self.info.external_attr >> _UNIX_MODE_SHIFT)


def find_overlapping(infos: Sequence[zipfile.ZipInfo]) -> set[int]:
    """Return the numbers of members whose data reaches into another's, as in ZIP bombs."""
    order = sorted(range(len(infos)), key=lambda number: infos[number].header_offset)
    return {
        number
        for number, following in itertools.pairwise(order)
        if infos[number].header_offset + _LOCAL_HEADER.size + infos[number].compress_size
        > infos[following].header_offset
    }


def read_member(archive: IO[bytes], member: ZipMember, limit_bytes: int) -> bytes:
    """Return a member's content, at most one byte more than the limit.

    Raises:
        MemberError: it is encrypted, damaged, or compressed with an unsupported method.
        OSError: the archive cannot be read.
    """
    info = member.info
    if info.flag_bits & _ENCRYPTION_FLAGS or info.compress_type == _AES:
        raise MemberError("encrypted-file", "the file is encrypted; unpack the archive first")
    if member.overlaps:
        raise _damaged("its data reaches into another file's")
    section = _find_data(archive, info)
    # Reading one byte more than the directory promises shows whether the size is true.
    wanted = min(info.file_size, limit_bytes) + 1
    try:
        data = _unpacked(section, info, wanted).read(wanted)
    except INFLATE_ERRORS as error:
        raise _damaged("it cannot be unpacked") from error
    if len(data) > limit_bytes:
        return data
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise _damaged("size or checksum is wrong")
    return data


def _damaged(reason: str) -> MemberError:
    return MemberError("damaged-file", f"the file is damaged in the archive: {reason}")


def _find_data(archive: IO[bytes], info: zipfile.ZipInfo) -> "_Section":
    if info.header_offset < 0:
        raise _damaged("it is not where the directory says")
    archive.seek(info.header_offset)
    header = archive.read(_LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or not header.startswith(ZIP_MEMBER):
        raise _damaged("it is not where the directory says")
    _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
    if archive.read(name_length) != stored_name(info):
        raise _damaged("the directory has another name for it")
    archive.seek(extra_length, io.SEEK_CUR)
    return _Section(archive, info.compress_size)


class _Section:
    """A limited number of bytes from the current position of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def _unpacked(section: "_Section", info: zipfile.ZipInfo, wanted: int) -> "_Section | IO[bytes]":
    make: Callable[[], Decompressor]
    match info.compress_type:
        case zipfile.ZIP_STORED:
            return section
        case zipfile.ZIP_DEFLATED:
            make = raw_deflate_decompressor
        case zipfile.ZIP_BZIP2:
            make = bzip2_decompressor
        case zipfile.ZIP_LZMA:
            header = section.read(_LZMA_HEADER.size).ljust(_LZMA_HEADER.size, b"\0")
            (length,) = _LZMA_HEADER.unpack(header)
            properties = section.read(length)

            def make() -> Decompressor:
                return raw_lzma_decompressor(properties, wanted)
        case _ if info.compress_type == _XZ:
            make = xz_decompressor
        case method:
            name = _UNSUPPORTED_METHODS.get(method, f"method {method}")
            raise MemberError(
                "unsupported-compression",
                f"the file is packed with {name}, which is not supported; unpack the archive first",
            )
    return io.BufferedReader(Inflated(section, make))
