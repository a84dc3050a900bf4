"""Detects DICOM files by content, without pydicom, which is slow to import."""

import struct
from typing import Final

from imaging.dicom.file_format import META_GROUP, has_preamble

# The first element of a file without preamble: any element of the file meta information, because
# some writers omit some of them, or one of the first of a data set.
_FIRST_ELEMENTS: Final = {META_GROUP: 0x0102, 0x0008: 0x0060}
_VALUE_REPRESENTATIONS: Final = frozenset(
    {
        b"UL",
        b"OB",
        b"UI",
        b"CS",
        b"DA",
        b"TM",
        b"DT",
        b"LO",
        b"SH",
        b"PN",
        b"SQ",
        b"UN",
        b"UR",
        b"AE",
    }
)
_MAX_FIRST_VALUE_BYTES: Final = 1024


def is_dicom(data: bytes) -> bool:
    """Whether the content is DICOM, with the preamble of PS3.10 or without, as in older systems.

    The preamble may contain the header of another format (PS3.10, 7.1); the file is still DICOM.
    """
    start = data[:8]
    return has_preamble(data) or (
        len(start) == struct.calcsize("<HHI") and any(_is_element(start, order) for order in "<>")
    )


def _is_element(start: bytes, byte_order: str) -> bool:
    group, element, length = struct.unpack(f"{byte_order}HHI", start)
    if element > _FIRST_ELEMENTS.get(group, -1):
        return False
    explicit = start[4:6] in _VALUE_REPRESENTATIONS
    # Implicit VR is always little endian (PS3.5, 7.1).
    return explicit or (byte_order == "<" and length <= _MAX_FIRST_VALUE_BYTES)
