"""Constants of the DICOM file format (PS3.5 and PS3.10). Does not import pydicom."""

from typing import Final

PREAMBLE_BYTES: Final = 128
MAGIC: Final = b"DICM"
"""Follows the preamble."""

META_GROUP: Final = 0x0002
"""The group of the file meta information, which is explicit VR, little endian (PS3.10, 7.1)."""

ITEM_TAG: Final = b"\xfe\xff\x00\xe0"
"""Begins an item of a sequence or of encapsulated pixels, little endian."""


def has_preamble(data: bytes) -> bool:
    """Whether a file begins with the preamble and the magic bytes."""
    return data.startswith(MAGIC, PREAMBLE_BYTES)
