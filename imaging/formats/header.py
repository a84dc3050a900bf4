"""What an image says of itself before it is decoded."""

import io
import struct
from dataclasses import dataclass
from typing import Final

from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    COMPRESSION,
    PHOTOMETRIC_INTERPRETATION,
    SAMPLEFORMAT,
    TILELENGTH,
    TILEWIDTH,
    TiffImageFile,
)

from imaging.errors import DamagedImageError, UnknownImageFormatError
from imaging.formats.parts import check_parts
from imaging.formats.png_chunks import announced_bits

IMAGE_FORMATS: Final = ("png", "jpeg", "bmp", "tiff", "webp")
"""The formats that are read, recognised by content and never by file name."""

_PILLOW_FORMATS: Final = [name.upper() for name in IMAGE_FORMATS]

# None, LZW, Deflate under both its numbers, PackBits: those that lose nothing, and tell a cut.
_TIFF_COMPRESSIONS: Final = frozenset({1, 5, 8, 32946, 32773})
# Grey both ways, RGB, palette, CMYK.
_TIFF_PHOTOMETRICS: Final = frozenset({0, 1, 2, 3, 5})
_TIFF_BITS: Final = frozenset({1, 8, 16})
_TIFF_UNSIGNED: Final = frozenset({1})
_TIFF_MAX_TILE_SIDE: Final = 1024
_BYTE: Final = 8
_PNG_BITS_AT: Final = 24
MAXSAMPLEVALUE: Final = 281
SMAXSAMPLEVALUE: Final = 341
_BMP_RUN_LENGTHS: Final = frozenset({1, 2})

PILLOW_ERRORS: Final = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError),
    *(AttributeError, RuntimeError, EOFError, struct.error),
)
"""What Pillow raises when a file's tags are not what it expects."""

# Pillow would warn of large images; here the caller holds the size against a limit of its own.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class ImageHeader:
    """Format and size, as the file's header claims them."""

    format: str
    width: int
    height: int
    channels: int
    """Alpha counted."""
    bits: int
    """Of a sample, as a decoder unpacks it: 8 or 16."""
    announced_bits: int | None = None
    """Of a sample, as a tag says that they are used."""
    white_is_zero: bool = False

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def read_header(data: bytes) -> ImageHeader:
    """Read format and size without decoding any pixel.

    Raises:
        UnknownImageFormatError: the content is none of ``IMAGE_FORMATS``, or of a kind of TIFF or
            BMP that is not read.
        SeveralImagesError: the file holds more than one image.
        DamagedImageError: the header of a known format cannot be read.
    """
    check_parts(data)
    try:
        with Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS) as image:
            _check_kind(image)
            # A JPEG file that carries further pictures behind its own is called MPO.
            name = (image.format or "").lower().replace("mpo", "jpeg")
            channels = 3 if image.mode == "P" else len(image.getbands())
            return ImageHeader(
                name,
                image.width,
                image.height,
                channels,
                bits=_bits(data, image),
                announced_bits=_announced_bits(data, image),
                white_is_zero=_white_is_zero(image),
            )
    except UnidentifiedImageError as error:
        raise UnknownImageFormatError(
            f"the content is not one of the supported formats: {', '.join(IMAGE_FORMATS)}"
        ) from error
    except PILLOW_ERRORS as error:
        raise DamagedImageError("the image's header cannot be read") from error


def _bits(data: bytes, image: Image.Image) -> int:
    # Pillow's mode is one of 8 bits for colours of 16.
    if image.format == "PNG":
        return max(_BYTE, data[_PNG_BITS_AT])
    if isinstance(image, TiffImageFile):
        return max(_BYTE, *(int(bits) for bits in image.tag_v2.get(BITSPERSAMPLE, (1,))))
    return _BYTE


def _announced_bits(data: bytes, image: Image.Image) -> int | None:
    if isinstance(image, TiffImageFile):
        tag = image.tag_v2.get(MAXSAMPLEVALUE) or image.tag_v2.get(SMAXSAMPLEVALUE)
        highest = tag[0] if isinstance(tag, tuple) else tag
        # Some write how many values there are, 4096 of 12 bits.
        return (int(highest) - 1).bit_length() if highest else None
    return announced_bits(data) if image.format == "PNG" else None


def _white_is_zero(image: Image.Image) -> bool:
    return isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0


def _check_kind(image: Image.Image) -> None:
    if image.format == "BMP" and image.info.get("compression") in _BMP_RUN_LENGTHS:
        raise UnknownImageFormatError("a bmp file in run-length encoding is not read")
    if isinstance(image, TiffImageFile):
        tags = image.tag_v2
        if (
            tags.get(COMPRESSION, 1) not in _TIFF_COMPRESSIONS
            or tags.get(PHOTOMETRIC_INTERPRETATION, 0) not in _TIFF_PHOTOMETRICS
            or not _TIFF_BITS.issuperset(tags.get(BITSPERSAMPLE, (1,)))
            or not _TIFF_UNSIGNED.issuperset(tags.get(SAMPLEFORMAT, (1,)))
            or max(tags.get(TILEWIDTH, 0), tags.get(TILELENGTH, 0)) > _TIFF_MAX_TILE_SIDE
        ):
            raise UnknownImageFormatError("a tiff file of this kind is not read")
