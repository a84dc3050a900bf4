"""Recognises archives and compressed files by their first bytes."""

from typing import Final

ZIP_MEMBER: Final = b"PK\x03\x04"
"""Before each member of a ZIP archive, and so at its beginning."""
ZIP_END: Final = b"PK\x05\x06"
"""At the beginning of a ZIP archive without members."""
ZIP_SPANNED: Final = b"PK\x07\x08"
"""At the beginning of a ZIP archive that was meant to be split."""
GZIP: Final = b"\x1f\x8b"
BZIP2: Final = b"BZh"
XZ: Final = b"\xfd7zXZ\0"
LZMA: Final = b"\x5d\0\0"
"""Of ``.lzma`` files with the usual properties; they have no signature."""

_STARTS: Final = {
    ZIP_MEMBER: "a ZIP archive",
    ZIP_END: "a ZIP archive",
    GZIP: "a gzip file",
    BZIP2: "a bzip2 file",
    XZ: "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a RAR archive",
}
_TAR_MAGIC: Final = b"ustar"
_TAR_MAGIC_OFFSET: Final = 257


def archive_kind(data: bytes) -> str | None:
    """Return the kind of archive or compressed file, or None if it is neither.

    Args:
        data: the file, or its first kilobyte.
    """
    if data.startswith(_TAR_MAGIC, _TAR_MAGIC_OFFSET):
        return "a tar archive"
    return next((kind for start, kind in _STARTS.items() if data.startswith(start)), None)
