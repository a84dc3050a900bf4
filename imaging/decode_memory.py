"""The peak memory for decoding a file, computed from its header.

The factors are measured (``tests/unit/imaging/test_decode_memory.py``). OpenCV's Python binding
briefly holds a picture twice, so every format needs at least six bytes per pixel.
"""

from typing import Final

from imaging.dicom.recognition import is_dicom
from imaging.formats.completeness import LARGE_PIXELS
from imaging.formats.header import ImageHeader, read_header
from imaging.formats.jpeg_scans import JpegScans, read_scans
from imaging.limits import DEFAULT_MAX_PIXELS, check_size

_FIXED_BYTES: Final = 12_000_000
"""Tables, rows and buffers, independent of the picture's size."""
_FILE_COPIES: Final = 2
"""A JPEG file is copied for padding; from other files packed pixels are copied."""
_PICTURE_BYTES: Final = 7
"""A pixel as 8-bit RGB, twice, and one byte for intermediate results."""
_DEEP_PICTURE_BYTES: Final = 13
"""A pixel as 16-bit RGB, twice."""
_PILLOW_BYTES: Final = 4
_COEFFICIENT_BYTES: Final = 2
_MAX_BLOCK_SIDE: Final = 32
"""A JPEG decoder rounds both sides up to whole blocks."""


def decode_memory_bytes(data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> int:
    """The peak memory of ``decode_image`` for a file, in bytes, without the file itself.

    Nothing is decoded; reading the header takes a few milliseconds.

    Args:
        data: the file.
        max_pixels: the largest image, width times height.

    Raises:
        ImageError: the header is rejected, as by ``decode_image``.
    """
    if is_dicom(data):
        # Imported only if needed: docs/decisions/0011.
        from imaging.dicom.decode_memory import dicom_memory_bytes  # noqa: PLC0415

        return _FIXED_BYTES + dicom_memory_bytes(data, max_pixels=max_pixels)
    header = read_header(data)
    check_size(header.width, header.height, max_pixels=max_pixels)
    return _FIXED_BYTES + _FILE_COPIES * len(data) + _file_bytes(data, header)


def _file_bytes(data: bytes, header: ImageHeader) -> int:
    match header.format:
        case "jpeg":
            return _jpeg_bytes(header, read_scans(data))
        case "tiff":
            # A strip or tile may be as large as the picture, and exists both packed and unpacked.
            sample_bytes = max(1, header.bits // 8) * header.channels
            picture = _DEEP_PICTURE_BYTES if header.bits > 8 else _PICTURE_BYTES  # noqa: PLR2004
            return header.pixels * (picture + _PILLOW_BYTES + sample_bytes)
        case "png" if header.bits > 8:  # noqa: PLR2004
            return header.pixels * _DEEP_PICTURE_BYTES
        case "webp":
            return header.pixels * (_PICTURE_BYTES + _PILLOW_BYTES)
        case _:
            return header.pixels * _PICTURE_BYTES


def _jpeg_bytes(header: ImageHeader, scans: JpegScans) -> int:
    # Pillow decodes the file to check it; for small files two decoded pictures are compared.
    check = header.pixels
    if header.pixels <= LARGE_PIXELS:
        check *= 3 * _PILLOW_BYTES
    elif scans.progressive:
        check *= _PILLOW_BYTES
    picture = max(header.pixels * _PICTURE_BYTES, check)
    if len(scans.spans) == 1 and not scans.progressive:
        return picture
    # A decoder keeps the coefficients of all blocks if there is more than one scan.
    width, height = (
        -(-side // _MAX_BLOCK_SIDE) * _MAX_BLOCK_SIDE for side in (header.width, header.height)
    )
    return picture + width * height * header.channels * _COEFFICIENT_BYTES
