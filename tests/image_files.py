"""Builds image files part by part, so that tests can have ones that no encoder writes."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from imaging.decode import decode_image

HEIGHT, WIDTH = 48, 64


def gradient(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """An RGB image whose channels differ."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8)


RGB = gradient()
GREY = RGB[:, :, 0]
NOISE = np.random.default_rng(0).integers(0, 256, RGB.shape, np.uint8)


def expect(data: bytes, expected: np.ndarray, *, within: int = 0) -> None:
    """Check that a file is decoded to these pixels: grey, ``[height, width]``, or RGB."""
    rgb = expected if expected.ndim == 3 else np.repeat(expected[:, :, None], 3, 2)
    pixels = decode_image(data).pixels
    assert pixels.shape == rgb.shape
    assert np.abs(pixels.astype(int) - rgb).max() <= within


def saved(pixels: np.ndarray | Image.Image, image_format: str, **options: object) -> bytes:
    """Encode an image with Pillow."""
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)


def png_chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def png(
    rows: bytes,
    *,
    bits: int = 8,
    colour: int = 0,
    interlaced: bool = False,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """Build a PNG from rows with filter bytes; ``before`` and ``after`` are chunks around IDAT."""
    header = struct.pack(">IIBBBBB", *size, bits, colour, 0, 0, int(interlaced))
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    parts = [png_chunk(b"IHDR", header), before, pixels, after, png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_rows(packed: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.tobytes() for row in packed)


def tiff(
    data: bytes,
    tags: Mapping[int, int | Sequence[int]],
    *,
    following: int = 0,
) -> bytes:
    """Build a little-endian TIFF whose only strip, ``data``, follows its directory.

    ``tags`` extend or replace those of an 8-bit grey image of ``HEIGHT`` and ``WIDTH``.
    """
    all_tags: dict[int, int | Sequence[int]] = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: 1}
    all_tags |= {277: 1, 278: HEIGHT, 279: len(data)} | dict(tags)
    longs = {256, 257, 273, 278, 279, 322, 323, 324, 325}
    start = 8 + 2 + 12 * (len(all_tags) + 1) + 4
    directory, long_values = b"", b""
    lengths = [2 * len(v) for v in all_tags.values() if not isinstance(v, int) and len(v) > 2]
    all_tags[324 if 322 in all_tags else 273] = start + sum(lengths)
    for tag, value in sorted(all_tags.items()):
        values = [value] if isinstance(value, int) else list(value)
        content = struct.pack(f"<{len(values)}{'I' if tag in longs else 'H'}", *values)
        if len(content) > 4:
            offset = struct.pack("<I", start + len(long_values))
            content, long_values = offset, long_values + content
        entry = struct.pack("<HHI", tag, 4 if tag in longs else 3, len(values))
        directory += entry + content.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<IH", 8, len(all_tags))
    return head + directory + struct.pack("<I", following) + long_values + data


def bmp(
    data: bytes,
    bits: int,
    *,
    compression: int = 0,
    height: int = HEIGHT,
    between: bytes = b"",
    pixels_at: int | None = None,
) -> bytes:
    """Build a BMP; ``between`` holds masks or a palette, a negative height means top-down rows."""
    at = 54 + len(between) if pixels_at is None else pixels_at
    file = b"BM" + struct.pack("<IHHI", 54 + len(between) + len(data), 0, 0, at)
    sizes = (40, WIDTH, height, 1, bits, compression, len(data), 2835, 2835, 0, 0)
    return file + struct.pack("<IiiHHIIiiII", *sizes) + between + data
