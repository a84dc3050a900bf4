"""What an image says of itself before it is decoded."""

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, UnidentifiedImageError

from serving.errors import DamagedImageError, UnknownImageFormatError

IMAGE_FORMATS: Final = ("png", "jpeg", "bmp", "tiff", "webp")
"""The formats that are read, recognised by content and never by file name."""

_PILLOW_FORMATS: Final = [name.upper() for name in IMAGE_FORMATS]

# Pillow would warn of large images; here the caller holds the size against a limit of its own.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class ImageHeader:
    """Format and size, as the file's header claims them."""

    format: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


def read_header(data: bytes) -> ImageHeader:
    """Read format and size without decoding any pixel.

    Raises:
        UnknownImageFormatError: the content is none of ``IMAGE_FORMATS``.
        DamagedImageError: the header of a known format cannot be read.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS) as image:
            return ImageHeader((image.format or "").lower(), image.width, image.height)
    except UnidentifiedImageError as error:
        raise UnknownImageFormatError(
            f"the content is not one of the supported formats: {', '.join(IMAGE_FORMATS)}"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedImageError("the image's header cannot be read") from error
