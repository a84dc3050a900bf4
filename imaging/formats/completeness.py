"""Whether all of an image is there, and no more, where the decoder of its format does not say."""

import hashlib
import io
import struct
import zlib
from typing import Final

import cv2
import numpy as np
from PIL import Image

from imaging.errors import DamagedImageError, UnknownImageFormatError
from imaging.formats.header import PILLOW_ERRORS, ImageHeader
from imaging.formats.jpeg_scans import pad_scans, read_scans
from imaging.formats.parts import png_pixel_parts, webp_chunks

LARGE_PIXELS: Final = 4_000_000
"""Where a block of a JPEG file is too small to matter and all its pixels too many to compare."""

_WEBP_EXTENDED: Final = b"VP8X"
_WEBP_PIXELS: Final = frozenset({b"VP8 ", b"VP8L"})
_DIGESTED_ROWS: Final = 64
_OPAQUE: Final = 255
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Becomes 16 MB at most.
_INFLATED_AT_ONCE: Final = 16_384
_PNG_SLACK_BYTES: Final = 65_536


def check_complete(data: bytes, header: ImageHeader) -> None:
    """Refuse what OpenCV would fill up, or unpack without end.

    Args:
        data: the file.
        header: its header, within the limits.

    Raises:
        DamagedImageError: a part of the pixels is missing, or there are far too many.
        UnknownImageFormatError: a TIFF file in colour has transparent pixels, which OpenCV would
            darken.
    """
    try:
        if header.format == "png":
            _check_png(data, header)
        elif header.format == "jpeg":
            _check_jpeg(data)
        elif header.format == "tiff":
            _check_tiff(data)
        elif header.format == "webp":
            _check_webp(data)
    except (*PILLOW_ERRORS, zlib.error, cv2.error) as error:
        raise DamagedImageError(f"the {header.format} file is truncated or corrupt") from error


def _check_png(data: bytes, header: ImageHeader) -> None:
    # The decoder would unpack to the end even what no pixel needs: 500 MB from 500 kB.
    bits, colour = data[24:26]
    row_bytes = header.width * min(bits, 16) * _PNG_CHANNELS[colour] // 8 + 2
    # Interlaced pixels come in up to twice as many rows, each with its own filter byte.
    left = 2 * row_bytes * header.height + _PNG_SLACK_BYTES
    inflater = zlib.decompressobj()
    for part in png_pixel_parts(data):
        for start in range(0, len(part), _INFLATED_AT_ONCE):
            left -= len(inflater.decompress(part[start : start + _INFLATED_AT_ONCE]))
            if left < 0:
                raise DamagedImageError("the png file holds far more than its pixels")


def _check_jpeg(data: bytes) -> None:
    scans = read_scans(data)
    if _jpeg_pixels(data, scans.progressive) != _jpeg_pixels(
        pad_scans(data, scans), scans.progressive
    ):
        raise DamagedImageError("the jpeg file is truncated")


def _jpeg_pixels(data: bytes, progressive: bool) -> bytes:
    """The pixels, or of many the digest of them."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        if image.width * image.height <= LARGE_PIXELS:
            return image.tobytes()
        if not progressive:
            # Blocks come one after the other, so that one pixel of each tells all but the last.
            image.draft(image.mode, (1, 1))
            return image.tobytes()
        return _digest(image)


def _digest(image: Image.Image) -> bytes:
    # Two pictures to compare, and a copy of each, would be 614 MB of a CMYK file of 40 million
    # pixels.
    digest = hashlib.sha256()
    for top in range(0, image.height, _DIGESTED_ROWS):
        bottom = min(image.height, top + _DIGESTED_ROWS)
        digest.update(image.crop((0, top, image.width, bottom)).tobytes())
    return digest.digest()


def _check_webp(data: bytes) -> None:
    """Decode what an extended file holds as the simple file that it could be.

    Of an extended file the decoder takes what there is of the pixels, of a simple one all or none.
    """
    first, *others = webp_chunks(data)
    if first.name != _WEBP_EXTENDED:
        return
    for chunk in others:
        if chunk.name in _WEBP_PIXELS:
            content = memoryview(data)[chunk.start : chunk.start + chunk.size + chunk.size % 2]
            head = struct.pack(
                "<4sI4s4sI", b"RIFF", len(content) + 12, b"WEBP", chunk.name, chunk.size
            )
            simple = b"".join([head, content])
            if cv2.imdecode(np.frombuffer(simple, np.uint8), cv2.IMREAD_COLOR) is None:
                raise DamagedImageError("the webp file is truncated or corrupt")


def _check_tiff(data: bytes) -> None:
    with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        image.load()
        if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] != _OPAQUE:
            raise UnknownImageFormatError("a tiff file with transparent pixels is not read")
