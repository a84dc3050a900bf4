"""BMP: a header, perhaps a palette, and rows without compression."""

import struct
from typing import Final

from PIL import Image

from imaging.errors import DamagedImageError, UndecodableImageError, UnsupportedVariantError
from imaging.formats.image_format import ImageFormat, SampleDepth

_FILE_HEADER_BYTES: Final = 14
_INFO_HEADER_BYTES: Final = 40
_PALETTE_BITS: Final = 8
_MASKS: Final = 3
_MASK_BITS: Final = 32
_USUAL_MASKS: Final = struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
_RUN_LENGTHS: Final = frozenset({1, 2})


def _matches(data: bytes) -> bool:
    return data.startswith(b"BM")


def _check_structure(data: bytes) -> None:
    pixels, header = struct.unpack_from("<II", data, 10)
    palette = 0
    if header >= _INFO_HEADER_BYTES:
        bits, coding = struct.unpack_from("<HI", data, 28)
        (colours,) = struct.unpack_from("<I", data, 46)
        if bits <= _PALETTE_BITS:
            palette = 4 * (colours or 1 << bits)
        if coding == _MASKS and bits == _MASK_BITS and data[54:66] != _USUAL_MASKS:
            # OpenCV does not look at them.
            raise UndecodableImageError("the bmp file's colour masks are not the usual ones")
    if pixels < _FILE_HEADER_BYTES + header + palette:
        raise DamagedImageError("the bmp file's pixels would begin within its header or palette")


def _depth(_data: bytes, image: Image.Image) -> SampleDepth:
    if image.info.get("compression") in _RUN_LENGTHS:
        raise UnsupportedVariantError("a bmp file in run-length encoding is not read")
    return SampleDepth()


BMP: Final = ImageFormat("bmp", matches=_matches, check_structure=_check_structure, depth=_depth)
