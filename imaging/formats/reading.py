"""Recognises the format of a file by its content, and reads its header without any pixel."""

import io
import struct
from typing import Final

from PIL import Image, UnidentifiedImageError

from imaging.errors import DamagedImageError, UnknownImageFormatError, UnsupportedVariantError
from imaging.formats.bmp import BMP
from imaging.formats.image_format import PILLOW_ERRORS, ImageFormat, ImageHeader
from imaging.formats.jpeg import JPEG
from imaging.formats.png import PNG
from imaging.formats.tiff import TIFF
from imaging.formats.webp import WEBP

_FORMATS: Final = (PNG, JPEG, BMP, TIFF, WEBP)

IMAGE_FORMATS: Final = tuple(each.name for each in _FORMATS)
"""The names of the formats that are read, which are recognised by content, never by file name."""

# Pillow would warn of large images; here the caller checks the size against its own limit.
Image.MAX_IMAGE_PIXELS = None


def recognise(data: bytes) -> ImageFormat:
    """The format of a file.

    Raises:
        UnknownImageFormatError: it is none of ``IMAGE_FORMATS``.
    """
    for each in _FORMATS:
        if each.matches(data):
            return each
    raise UnknownImageFormatError(
        f"the content is not one of the supported formats: {', '.join(IMAGE_FORMATS)}"
    )


def read_header(data: bytes, image_format: ImageFormat) -> ImageHeader:
    """Read size and depth without decoding any pixel.

    Raises:
        UnsupportedVariantError: an unsupported kind of TIFF or BMP.
        SeveralImagesError: the file holds more than one image.
        DamagedImageError: the header cannot be read, or the file has too many parts.
    """
    try:
        image_format.check_structure(data)
    except (IndexError, ValueError, struct.error) as error:
        raise DamagedImageError("the file is truncated") from error
    try:
        with Image.open(io.BytesIO(data), formats=[image_format.name.upper()]) as image:
            channels = 3 if image.mode == "P" else len(image.getbands())
            return ImageHeader(
                image_format.name,
                image.width,
                image.height,
                channels,
                image_format.depth(data, image),
            )
    except UnidentifiedImageError as error:
        raise UnsupportedVariantError(
            f"the {image_format.name} file has a damaged header or is of an unsupported kind"
        ) from error
    except PILLOW_ERRORS as error:
        raise DamagedImageError("the image's header cannot be read") from error
