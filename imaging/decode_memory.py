"""The peak memory for decoding a file, computed from its header.

The factors are measured (``tests/unit/imaging/test_decode_memory.py``). OpenCV's Python binding
briefly holds a picture twice, so every format needs at least six bytes per pixel.
"""

from typing import Final

from imaging.dicom.recognition import is_dicom
from imaging.formats.reading import read_header, recognise
from imaging.limits import DEFAULT_MAX_PIXELS, check_size

_FIXED_BYTES: Final = 12_000_000
"""Tables, rows and buffers, independent of the picture's size."""
_FILE_COPIES: Final = 2
"""A padded copy of a JPEG codestream in DICOM; the extracted compressed pixels of other files."""


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
        from imaging.dicom.frame_memory import dicom_memory_bytes  # noqa: PLC0415

        return _FIXED_BYTES + dicom_memory_bytes(data, max_pixels=max_pixels)
    image_format = recognise(data)
    header = read_header(data, image_format)
    check_size(header.width, header.height, max_pixels=max_pixels)
    return _FIXED_BYTES + _FILE_COPIES * len(data) + image_format.memory_bytes(data, header)
