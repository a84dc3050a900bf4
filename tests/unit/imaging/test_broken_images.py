"""Broken and oversized images are rejected at bounded cost, as ``docs/images.md`` describes."""

import contextlib
import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from imaging.decode import decode_image
from imaging.errors import DamagedImageError, ImageError, TooManyPixelsError
from imaging.formats.chunks import MAX_EXIF_BYTES, MAX_METADATA_PARTS
from imaging.formats.jpeg import MAX_SCANS
from imaging.formats.webp import webp_chunks
from imaging.limits import MAX_SIDE
from tests.image_files import (
    GREY,
    NOISE,
    RGB,
    bmp,
    exif,
    expect,
    png,
    png_chunk,
    png_rows,
    saved,
    tiff,
)

# Truncated and damaged files.


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "BMP", "JPEG"])
@pytest.mark.parametrize("trailing", [b"\0" * 100, b"hello" * 20, saved(NOISE, "PNG")])
def test_bytes_after_the_image_are_ignored(image_format: str, trailing: bytes):
    data = saved(RGB, image_format)
    expect(data + trailing, decode_image(data).pixels)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "BMP", "JPEG"])
def test_a_file_truncated_at_any_offset_is_rejected(image_format: str):
    data = saved(NOISE, image_format)
    for length in range(0, len(data), max(1, len(data) // 97)):
        with pytest.raises(ImageError):
            decode_image(data[:length])


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"keep_rgb": True}],
    ids=["sequential", "progressive", "restarts", "rgb"],
)
def test_a_truncated_jpeg_with_an_end_marker_is_rejected_unless_no_pixel_is_lost(
    options: dict[str, object],
):
    data = saved(NOISE, "JPEG", quality=50, **options)
    whole = decode_image(data).pixels
    for length in range(4, len(data) - 2, 3):
        try:
            pixels = decode_image(data[:length] + b"\xff\xd9").pixels
        except ImageError:
            continue
        np.testing.assert_array_equal(pixels, whole)


def test_a_truncated_large_jpeg_with_an_end_marker_is_rejected():
    data = saved(cv2.resize(NOISE, (2100, 2000)), "JPEG")
    assert decode_image(data).width == 2100
    with pytest.raises(DamagedImageError):
        decode_image(data[: len(data) * 9 // 10] + b"\xff\xd9")


def test_a_progressive_jpeg_without_its_last_scan_is_rejected():
    data = saved(NOISE, "JPEG", progressive=True)
    last_tables = data.rindex(b"\xff\xc4")
    with pytest.raises(DamagedImageError, match="lacks scans"):
        decode_image(data[:last_tables] + b"\xff\xd9")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_truncated_tiff_strip_is_rejected(compression: str):
    file = saved(NOISE, "TIFF", compression=compression, tiffinfo={278: 48})
    with Image.open(io.BytesIO(file)) as image:
        (start,), (size,) = image.tag_v2[273], image.tag_v2[279]
        code = image.tag_v2[259]
    tags = {258: [8] * 3, 259: code, 262: 2, 277: 3}
    strip = file[start : start + size]
    expect(tiff(strip, tags), NOISE)
    for share in (0.1, 0.5, 0.99):
        with pytest.raises(DamagedImageError):
            decode_image(tiff(strip[: int(len(strip) * share)], tags))


def test_a_tiff_truncated_before_its_second_page_is_rejected():
    with pytest.raises(DamagedImageError, match="next page"):
        decode_image(tiff(GREY.tobytes(), {}, following=1_000_000))


def test_a_truncated_webp_with_corrected_sizes_is_rejected():
    data = bytearray(saved(NOISE, "WEBP")[:-200])
    struct.pack_into("<I", data, 4, len(data) - 8)
    struct.pack_into("<I", data, 16, len(data) - 20)
    with pytest.raises(DamagedImageError):
        decode_image(bytes(data))


def webp(parts: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(
        struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)
        for name, content in parts
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def webp_parts(data: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (chunk.name, data[chunk.start : chunk.start + chunk.size]) for chunk in webp_chunks(data)
    ]


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("alpha", [True, False])
def test_a_truncated_extended_webp_is_rejected(lossless: bool, alpha: bool):
    pixels = np.dstack([RGB, RGB[..., 0]]) if alpha else RGB
    whole = saved(pixels, "WEBP", lossless=lossless, exif=exif(1))
    expected = decode_image(whole).pixels
    parts = webp_parts(whole)
    assert parts[0][0] == b"VP8X"
    (name,) = {name for name, _ in parts} & {b"VP8 ", b"VP8L"}
    size = len(dict(parts)[name])
    for cut in range(0, size, max(1, size // 119)):
        data = webp([(part, content[:cut] if part == name else content) for part, content in parts])
        # The last bytes may not affect any pixel.
        with contextlib.suppress(DamagedImageError):
            assert (decode_image(data).pixels == expected).all()
            assert cut > size - 5


@pytest.mark.parametrize("name", [b"tEXt", b"zTXt", b"iTXt", b"tIME", b"gAMA", b"abCd", b"iCCP"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_png_with_a_wrong_checksum_in_any_chunk_is_rejected(name: bytes, place: str):
    chunk = png_chunk(name, b"Comment\0\0" + zlib.compress(b"text"))
    wrong = chunk[:-1] + bytes([chunk[-1] ^ 1])
    with pytest.raises(DamagedImageError, match="wrong checksum"):
        decode_image(png(png_rows(GREY), **{place: wrong}))


def test_an_icc_profile_that_cannot_be_decompressed_is_ignored():
    broken = png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(100))[:-9])
    expect(png(png_rows(GREY), before=broken), GREY)


def test_a_png_with_a_wrong_checksum_no_end_or_too_few_rows_is_rejected():
    data = png(png_rows(GREY))
    checksum = len(data) - 13
    wrong = data[:checksum] + bytes([data[checksum] ^ 1]) + data[checksum + 1 :]
    for damaged in (wrong, data[:-12], png(png_rows(GREY[:-1]))):
        with pytest.raises(DamagedImageError):
            decode_image(damaged)


def test_a_bmp_without_its_palette_is_rejected():
    palette = bytes(range(256)) * 4
    assert decode_image(bmp(GREY.tobytes(), 8, between=palette)).pixels.shape == RGB.shape
    with pytest.raises(DamagedImageError):
        decode_image(bmp(GREY.tobytes(), 8))


def test_a_bmp_whose_pixel_offset_points_into_its_header_is_rejected():
    with pytest.raises(DamagedImageError):
        decode_image(bmp(RGB.tobytes(), 24, pixels_at=0))


# Dimensions.


@pytest.mark.parametrize("size", [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1)])
def test_an_image_with_a_side_over_the_limit_is_rejected_from_its_header(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(cv2, "imdecode")
    with pytest.raises(TooManyPixelsError, match=f"{size[0]} x {size[1]}"):
        decode_image(png(b"", size=size))


@pytest.mark.parametrize("size", [(0, 48), (64, 0), (0, 0)])
def test_an_image_without_pixels_is_rejected(size: tuple[int, int]):
    with pytest.raises(ImageError):
        decode_image(png(b"", size=size))


def test_a_png_with_two_headers_of_different_sizes_is_rejected():
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 24, 8, 0, 0, 0, 0))
    with pytest.raises(DamagedImageError):
        decode_image(png(png_rows(GREY), before=header))


def test_decoded_pixels_whose_size_differs_from_the_header_are_rejected(
    monkeypatch: pytest.MonkeyPatch,
):
    data = saved(RGB, "PNG")
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.zeros((96, 64, 3), np.uint8))
    with pytest.raises(DamagedImageError, match="size"):
        decode_image(data)


# Metadata.


@pytest.mark.parametrize("name", [b"zTXt", b"iCCP"])
def test_metadata_that_decompresses_to_megabytes_is_rejected(name: bytes):
    packed = zlib.compress(bytes(20_000_000), 9)
    with pytest.raises(DamagedImageError):
        decode_image(png(png_rows(GREY), before=png_chunk(name, b"a\0\0" + packed)))


def test_a_png_with_too_many_metadata_chunks_is_rejected():
    text = png_chunk(b"tEXt", b"a\0b")
    expect(png(png_rows(GREY), after=text * (MAX_METADATA_PARTS - 2)), GREY)
    with pytest.raises(DamagedImageError, match="parts"):
        decode_image(png(png_rows(GREY), after=text * MAX_METADATA_PARTS))


def test_a_jpeg_with_too_many_segments_is_rejected():
    data = saved(RGB, "JPEG")
    with pytest.raises(DamagedImageError, match="segments"):
        decode_image(data[:2] + b"\xff\xfe\0\2" * 1000 + data[2:])


def test_a_jpeg_with_too_many_scans_is_rejected():
    data = saved(GREY, "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(DamagedImageError, match="scans"):
        decode_image(data[:-2] + last * MAX_SCANS + b"\xff\xd9")


def test_a_chunk_that_claims_more_bytes_than_the_file_has_is_rejected():
    claim = struct.pack(">I", 2**31 - 1) + b"abCd"
    with pytest.raises(DamagedImageError, match="the file is truncated"):
        decode_image(png(png_rows(GREY), after=claim))


def test_exif_over_the_size_limit_is_rejected():
    large = exif(1) + bytes(MAX_EXIF_BYTES)
    for data in (
        png(png_rows(GREY), before=png_chunk(b"eXIf", large)),
        saved(RGB, "WEBP", exif=large),
    ):
        with pytest.raises(DamagedImageError, match="EXIF"):
            decode_image(data)


def test_an_exif_directory_that_points_to_itself_is_read_once():
    circular = b"MM\0*" + struct.pack(">IHHHIII", 8, 1, 0x8769, 4, 1, 8, 8)
    expect(png(png_rows(GREY), before=png_chunk(b"eXIf", circular)), GREY)


def test_tiff_tags_that_share_their_bytes_are_rejected():
    shared = {50_000 + i: range(2000) for i in range(3)}
    data = bytearray(tiff(GREY.tobytes(), shared))
    for at in range(10, 10 + 12 * struct.unpack_from("<H", data, 8)[0], 12):
        if struct.unpack_from("<H", data, at)[0] >= 50_000:
            struct.pack_into("<I", data, at + 4, 8000)
    with pytest.raises(DamagedImageError, match="claims"):
        decode_image(bytes(data))
