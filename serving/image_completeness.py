"""Whether all of an image is there, where the decoder of its format does not say."""

import io
from typing import Final

from PIL import Image

from serving.errors import DamagedImageError, UnknownImageFormatError
from serving.image_header import PILLOW_ERRORS
from serving.jpeg_scans import pad_scans, read_scans

LARGE_PIXELS: Final = 4_000_000
"""Where a block of a JPEG file is too small to matter and all its pixels too many to compare."""

_OPAQUE: Final = 255


def check_complete(data: bytes, image_format: str) -> None:
    """Ask Pillow where OpenCV would fill what is missing.

    Args:
        data: a file whose header was read and is within the limits.
        image_format: its format.

    Raises:
        DamagedImageError: a part of the pixels is missing.
        UnknownImageFormatError: a TIFF file in colour has transparent pixels, which OpenCV would
            darken.
    """
    try:
        if image_format == "jpeg":
            _check_jpeg(data)
        elif image_format == "tiff":
            _check_tiff(data)
    except PILLOW_ERRORS as error:
        raise DamagedImageError(f"the {image_format} file is truncated or corrupt") from error


def _check_jpeg(data: bytes) -> None:
    scans = read_scans(data)
    if _jpeg_pixels(data, scans.progressive) != _jpeg_pixels(
        pad_scans(data, scans), scans.progressive
    ):
        raise DamagedImageError("the jpeg file is truncated")


def _jpeg_pixels(data: bytes, progressive: bool) -> bytes:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        if not progressive and image.width * image.height > LARGE_PIXELS:
            # Blocks come one after the other, so that one pixel of each tells all but the last.
            image.draft(image.mode, (1, 1))
        return image.tobytes()


def _check_tiff(data: bytes) -> None:
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        image.load()
        if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] != _OPAQUE:
            raise UnknownImageFormatError("a tiff file with transparent pixels is not read")
