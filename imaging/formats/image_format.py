"""What every image format provides: a header, checks, pixels, and the memory for them."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.errors import DamagedImageError

BYTE_BITS: Final = 8

PICTURE_BYTES: Final = 7
"""Memory for each pixel as 8-bit RGB: OpenCV's Python binding briefly holds a picture twice, and
the seventh byte covers temporary buffers."""
DEEP_PICTURE_BYTES: Final = 13
"""The same for 16-bit RGB."""
PILLOW_BYTES: Final = 4

PILLOW_ERRORS: Final = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError),
    *(AttributeError, RuntimeError, EOFError, struct.error),
)
"""What Pillow raises when a file's tags are not what it expects."""


@dataclass(frozen=True)
class SampleDepth:
    """The bits of a sample, as the header declares them."""

    bits: int = BYTE_BITS
    """After decoding: 8 or 16."""
    announced_bits: int | None = None
    """How many of them are used, according to a tag of the file."""
    white_is_zero: bool = False


@dataclass(frozen=True)
class ImageHeader:
    """Format and size, as the file's header claims them."""

    format: str
    width: int
    height: int
    channels: int
    """Including alpha."""
    depth: SampleDepth

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


@dataclass(frozen=True)
class Pixels:
    """The pixels of a file."""

    rgb: NDArray[np.uint8]
    """``[height, width, 3]``, after EXIF orientation."""
    bits_used: int | None = None
    """For 16-bit samples that use fewer bits and were scaled to the full range."""


def decode_eight_bits(data: bytes, header: ImageHeader) -> Pixels:
    """Decode to 8 bits with OpenCV; of 16-bit samples it keeps the upper 8.

    Raises:
        DamagedImageError: OpenCV cannot decode the file.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise DamagedImageError(f"the {header.format} file cannot be decoded") from error
    if pixels is None:
        raise DamagedImageError(f"the {header.format} file is truncated or corrupt")
    return Pixels(np.asarray(pixels, np.uint8))


def _eight_bits(_data: bytes, _image: Image.Image) -> SampleDepth:
    return SampleDepth()


def _picture_bytes(_data: bytes, header: ImageHeader) -> int:
    return header.pixels * PICTURE_BYTES


def _nothing(_data: bytes, _header: ImageHeader) -> None: ...


@dataclass(frozen=True)
class ImageFormat:
    """A format. Its functions are called in the order of the fields; each may rely on those before.

    All raise subclasses of ``ImageError``. ``check_structure`` and ``check_complete`` may also let
    errors of ``struct``, ``zlib``, Pillow and OpenCV through, which mean that the file is damaged.
    """

    name: str
    matches: Callable[[bytes], bool]
    """Whether a file begins like one of this format."""
    check_structure: Callable[[bytes], None]
    """Reject files with too many parts or several pictures, before any decoder opens them: decoders
    spend time on every part, whether it belongs to the picture or not."""
    depth: Callable[[bytes, Image.Image], SampleDepth] = field(default=_eight_bits)
    """The bits of its samples; rejects kinds of files that would be read ambiguously. The image
    is Pillow's, without pixels."""
    check_complete: Callable[[bytes, ImageHeader], None] = field(default=_nothing)
    """Reject files that OpenCV would fill up with grey or decompress without a limit."""
    decode: Callable[[bytes, ImageHeader], Pixels] = field(default=decode_eight_bits)
    memory_bytes: Callable[[bytes, ImageHeader], int] = field(default=_picture_bytes)
    """The peak memory of the checks and the decoding, in bytes, without copies of the file.
    Measured: ``tests/unit/imaging/test_decode_memory.py``."""
