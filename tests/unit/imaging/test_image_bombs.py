"""Decompression bombs are rejected before they take memory or time."""

import struct
import zlib
from itertools import pairwise

import cv2
import pytest

from imaging.decode import decode_image
from imaging.errors import DamagedImageError, TooManyPixelsError
from imaging.limits import MAX_SIDE

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ROWS = zlib.compress(bytes(8 * (1 + 3 * 8)))


def chunk(name: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def ihdr(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def png(*between: bytes, pixels: bytes = ROWS, width: int = 8, height: int = 8) -> bytes:
    header = ihdr(width, height)
    return b"".join([SIGNATURE, header, *between, chunk(b"IDAT", pixels), chunk(b"IEND", b"")])


@pytest.fixture
def _opencv_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "imdecode")


def test_the_intact_png_of_these_tests_is_decoded():
    assert decode_image(png()).pixels.shape == (8, 8, 3)


@pytest.mark.usefixtures("_opencv_unavailable")
def test_pixels_that_decompress_to_far_more_than_the_image_are_rejected():
    with pytest.raises(DamagedImageError, match="far more"):
        decode_image(png(pixels=zlib.compress(bytes(20_000_000), 9)))


@pytest.mark.usefixtures("_opencv_unavailable")
def test_pixels_in_many_chunks_that_decompress_to_far_more_are_rejected():
    packed = zlib.compress(bytes(20_000_000), 9)
    offsets = pairwise(range(0, len(packed) + 500, 500))
    chunks = [chunk(b"IDAT", packed[start:end]) for start, end in offsets]
    with pytest.raises(DamagedImageError, match="far more"):
        decode_image(png(*chunks, pixels=b""))


@pytest.mark.usefixtures("_opencv_unavailable")
@pytest.mark.parametrize("name", [b"IDAT", b"eXIf", b"abCd", b"IEND"])
def test_a_chunk_that_ends_beyond_the_file_is_rejected(name: bytes):
    """OpenCV would allocate up to 4 GB for it."""
    file = SIGNATURE + ihdr(8, 8) + struct.pack(">I", 2**32 - 1) + name + ROWS
    with pytest.raises(DamagedImageError, match="the file is truncated"):
        decode_image(file)


@pytest.mark.usefixtures("_opencv_unavailable")
@pytest.mark.parametrize(
    ("name", "head"), [(b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")]
)
def test_a_text_or_profile_that_decompresses_to_megabytes_is_rejected(name: bytes, head: bytes):
    with pytest.raises(DamagedImageError):
        decode_image(png(chunk(name, head + zlib.compress(bytes(20_000_000), 9))))


@pytest.mark.usefixtures("_opencv_unavailable")
def test_texts_that_together_decompress_to_megabytes_are_rejected():
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(900_000), 9))
    with pytest.raises(DamagedImageError, match="decompress to too much"):
        decode_image(png(*[text] * 3))


@pytest.mark.usefixtures("_opencv_unavailable")
@pytest.mark.parametrize("size", [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (2**31 - 1, 1)])
def test_an_image_with_a_side_over_the_limit_is_rejected(size: tuple[int, int]):
    with pytest.raises(TooManyPixelsError):
        decode_image(png(width=size[0], height=size[1]))


@pytest.mark.parametrize("sizes", [(8, 5000), (5000, 8)])
def test_a_second_header_does_not_bypass_the_pixel_limit(sizes: tuple[int, int]):
    first, second = sizes
    file = png(ihdr(second, second), width=first, height=first)
    with pytest.raises((DamagedImageError, TooManyPixelsError)):
        decode_image(file, max_pixels=1_000_000)
