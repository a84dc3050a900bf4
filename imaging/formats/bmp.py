"""BMP: a header, perhaps a palette, and rows without compression."""

import struct
from typing import Final

from PIL import Image

from imaging.errors import DamagedImageError, UndecodableImageError, UnsupportedVariantError
from imaging.formats.image_format import ImageFormat, SampleDepth

# File header and info header, with the offsets of the fields that are read here.
_OFFSETS: Final = struct.Struct("<II")
"""Where the pixels begin, and the size of the info header."""
_OFFSETS_AT: Final = 10
_FILE_HEADER_BYTES: Final = 14
_CODING: Final = struct.Struct("<HI")
"""Bits per pixel, and compression."""
_CODING_AT: Final = 28
_COLOURS: Final = struct.Struct("<I")
_COLOURS_AT: Final = 46
_COLOUR_BYTES: Final = 4
_MASKS_AT: Final = 54
_INFO_HEADER_BYTES: Final = 40
_PALETTE_BITS: Final = 8
_MASKS: Final = 3
_MASK_BITS: Final = 32
_USUAL_MASKS: Final = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
_RUN_LENGTHS: Final = frozenset({1, 2})


def _matches(data: bytes) -> bool:
    return data.startswith(b"BM")


def _check_structure(data: bytes) -> None:
    pixels, header = _OFFSETS.unpack_from(data, _OFFSETS_AT)
    palette = 0
    if header >= _INFO_HEADER_BYTES:
        bits, coding = _CODING.unpack_from(data, _CODING_AT)
        (colours,) = _COLOURS.unpack_from(data, _COLOURS_AT)
        if bits <= _PALETTE_BITS:
            palette = _COLOUR_BYTES * (colours or 1 << bits)
        usual = data.startswith(_USUAL_MASKS, _MASKS_AT)
        if coding == _MASKS and bits == _MASK_BITS and not usual:
            # OpenCV ignores the masks.
            raise UndecodableImageError("the bmp file has unusual colour masks")
    if pixels < _FILE_HEADER_BYTES + header + palette:
        raise DamagedImageError("the bmp file's pixels begin within its header or palette")


def _depth(_data: bytes, image: Image.Image) -> SampleDepth:
    if image.info.get("compression") in _RUN_LENGTHS:
        raise UnsupportedVariantError("run-length encoded BMP is not supported")
    return SampleDepth()


BMP: Final = ImageFormat("bmp", matches=_matches, check_structure=_check_structure, depth=_depth)
