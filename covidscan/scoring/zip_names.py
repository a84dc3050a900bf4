"""Decodes member names of ZIP archives, whose encoding flags may be wrong."""

import struct
import zipfile
from typing import IO, Final

_ENTRY: Final = struct.Struct("<4s4xH18xHHH12x")
"""A directory entry: signature, flags, and lengths of name, extra fields and comment."""

_ENTRY_SIGNATURE: Final = b"PK\x01\x02"
_FLAGS_OFFSET: Final = 8
_UTF_8_FLAG: Final = 0x800
_UNIX_SYSTEMS: Final = (3, 19)


class NameTolerantFile:
    """An archive file that hides false UTF-8 flags.

    ``zipfile`` rejects the whole archive for one name that is flagged as UTF-8 and is not. It reads
    the directory in one piece; in that piece, this class clears the flag of such names.

    Args:
        file: the archive.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.undecodable: set[int] = set()
        """The numbers of the directory entries of such names."""

    def read(self, size: int = -1) -> bytes:
        """Return bytes from the current position."""
        data = self._file.read(size)
        return self._corrected(data) if data.startswith(_ENTRY_SIGNATURE) else data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the current position."""
        return self._file.tell()

    def seekable(self) -> bool:
        """Return True."""
        return True

    def _corrected(self, directory: bytes) -> bytes:
        corrected = bytearray(directory)
        offset = number = 0
        while offset + _ENTRY.size <= len(directory):
            signature, flags, *lengths = _ENTRY.unpack_from(directory, offset)
            if signature != _ENTRY_SIGNATURE:
                break
            start = offset + _ENTRY.size
            name = directory[start : start + lengths[0]]
            if flags & _UTF_8_FLAG and not _is_utf_8(name):
                struct.pack_into("<H", corrected, offset + _FLAGS_OFFSET, flags & ~_UTF_8_FLAG)
                self.undecodable.add(number)
            offset = start + sum(lengths)
            number += 1
        return bytes(corrected)


def raw_name(info: zipfile.ZipInfo, *, undecodable: bool) -> str | bytes:
    """Return a member's name: as text if its encoding is known, else as bytes.

    Args:
        info: the member.
        undecodable: whether it was flagged as UTF-8 and is not.
    """
    if info.flag_bits & _UTF_8_FLAG or info.filename != info.orig_filename:
        return info.filename
    name = stored_name(info)
    if undecodable or info.create_system in _UNIX_SYSTEMS or _is_utf_8(name):
        # Unix and macOS store the file system's bytes, which are mostly UTF-8.
        return name
    return info.filename


def stored_name(info: zipfile.ZipInfo) -> bytes:
    """Return a member's name as the archive stores it."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & _UTF_8_FLAG else "cp437")


def _is_utf_8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
