"""Recognises archives and compressed files by their first bytes."""

from typing import Final

_STARTS: Final = {
    b"PK\x03\x04": "a ZIP archive",
    b"PK\x05\x06": "a ZIP archive",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\0": "an xz file",
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
