"""What an image says of itself before it is decoded."""

import io
import warnings
from dataclasses import dataclass
from typing import Final

from PIL import Image, UnidentifiedImageError

from serving.errors import DamagedImageError, UnknownImageFormatError

IMAGE_FORMATS: Final = ("png", "jpeg", "bmp", "tiff", "webp")
"""The formats that are read, recognised by content and never by file name."""


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
        with warnings.catch_warnings():
            # Pillow only warns of bombs; the pixel limit is the caller's, from the size returned.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=[f.upper() for f in IMAGE_FORMATS]) as image:
                return ImageHeader((image.format or "").lower(), image.width, image.height)
    except UnidentifiedImageError as error:
        raise UnknownImageFormatError(
            f"the content is not one of the supported formats: {', '.join(IMAGE_FORMATS)}"
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DamagedImageError("the image's header cannot be read") from error
