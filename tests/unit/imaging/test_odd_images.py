"""Unusual images: which are read and which are rejected, as ``docs/images.md`` describes."""

import struct

import numpy as np
import pytest
from PIL import Image

from imaging.decode import decode_image
from imaging.errors import DamagedImageError, SeveralImagesError, UnknownImageFormatError
from tests.image_files import (
    GREY,
    NOISE,
    RGB,
    bmp,
    exif,
    expect,
    gradient,
    png,
    png_chunk,
    png_rows,
    saved,
    tiff,
)

ALPHA = np.dstack([RGB, GREY])
PALETTE = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}}

ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90,
}


# One image per file.


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF"])
def test_animations_and_multi_page_tiffs_are_rejected_as_several_images(image_format: str):
    others = [Image.fromarray(255 - RGB)]
    with pytest.raises(SeveralImagesError):
        decode_image(saved(RGB, image_format, save_all=True, append_images=others))


def test_an_animated_png_with_a_single_frame_is_rejected():
    control = png_chunk(b"acTL", struct.pack(">II", 1, 0))
    with pytest.raises(SeveralImagesError):
        decode_image(png(png_rows(GREY), before=control))


def test_a_tiff_with_circular_directories_is_rejected_as_several_images():
    with pytest.raises(SeveralImagesError):
        decode_image(tiff(GREY.tobytes(), {}, following=8))


def test_further_pictures_after_a_jpeg_are_ignored():
    image = decode_image(saved(RGB, "MPO", save_all=True, append_images=[Image.fromarray(NOISE)]))
    assert image.format == "jpeg"
    np.testing.assert_array_equal(image.pixels, decode_image(saved(RGB, "JPEG")).pixels)


def test_the_thumbnail_in_a_jpegs_exif_is_ignored():
    thumbnail = saved(NOISE[:8, :8], "JPEG")
    empty = b"MM\0*" + struct.pack(">IHI", 8, 0, 14)
    second = struct.pack(">HHHIIHHIII", 2, 0x201, 4, 1, 44, 0x202, 4, 1, len(thumbnail), 0)
    data = saved(RGB, "JPEG", exif=b"Exif\0\0" + empty + second + thumbnail)
    expect(data, decode_image(saved(RGB, "JPEG")).pixels)


# Sample formats.


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_grey_tiffs_are_reduced_to_their_upper_8_bits(order: str):
    deep = np.arange(GREY.size, dtype=np.uint16).reshape(GREY.shape) * 21
    image = Image.frombytes(
        {"<": "I;16", ">": "I;16B"}[order], GREY.shape[::-1], deep.astype(f"{order}u2").tobytes()
    )
    expect(saved(image, "TIFF"), (deep >> 8).astype(np.uint8))


def test_16_bit_colour_tiffs_are_rounded_to_8_bits():
    deep = NOISE.astype(np.uint16) * 256 + 200
    expect(tiff(deep.tobytes(), {258: [16] * 3, 262: 2, 277: 3}), NOISE, within=1)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("colour", [0, 3], ids=["grey", "palette"])
def test_1_2_and_4_bit_pngs_are_expanded_to_8_bits(bits: int, colour: int):
    packed = np.random.default_rng(bits).integers(0, 256, (48, 8 * bits), np.uint8)
    digits = np.unpackbits(packed, axis=1).reshape(48, 64, bits)
    levels = (digits << np.arange(bits)[::-1]).sum(-1)
    palette = png_chunk(b"PLTE", PALETTE[: 1 << bits].tobytes())
    data = png(png_rows(packed), bits=bits, colour=colour, before=palette if colour else b"")
    expanded = (levels * 255 // ((1 << bits) - 1)).astype(np.uint8)
    expect(data, PALETTE[levels] if colour else expanded)


@pytest.mark.parametrize(
    ("samples", "bits", "sample_format", "photometric"),
    [
        (GREY.astype(np.float32), 32, 3, 1),
        (RGB.astype(np.float32), 32, 3, 2),
        (GREY.astype(np.float64), 64, 3, 1),
        (GREY.astype(np.float16), 16, 3, 1),
        (GREY.astype(np.int8), 8, 2, 1),
        (GREY.astype(np.int16), 16, 2, 1),
        (GREY.astype(np.uint32), 32, 1, 1),
        (GREY.astype(np.complex64), 64, 6, 1),
        (RGB, 8, 1, 6),
        (RGB, 8, 1, 8),
        (GREY, 4, 1, 1),
        (GREY, 12, 1, 1),
    ],
)
def test_tiffs_with_unsupported_sample_formats_are_rejected(
    samples: np.ndarray, bits: int, sample_format: int, photometric: int
):
    count = 3 if samples.ndim == 3 else 1
    tags = {258: [bits] * count, 262: photometric, 277: count, 339: [sample_format] * count}
    with pytest.raises(UnknownImageFormatError, match=r"(?i)kind of TIFF is not|tiff file .* kind"):
        decode_image(tiff(samples.tobytes(), tags))


@pytest.mark.parametrize("compression", ["jpeg", "group3", "group4", "zstd", "lzma"])
def test_tiffs_with_unsupported_compression_are_rejected(compression: str):
    image = Image.fromarray(RGB).convert("1" if compression.startswith("group") else "RGB")
    with pytest.raises(UnknownImageFormatError, match="this kind of TIFF is not supported"):
        decode_image(saved(image, "TIFF", compression=compression))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiffs_with_supported_lossless_compression_are_read(compression: str):
    expect(saved(NOISE, "TIFF", compression=compression), NOISE)


def test_a_white_is_zero_tiff_is_inverted():
    expect(tiff(GREY.tobytes(), {262: 0}), 255 - GREY)


def test_tiff_tiles_up_to_1024_pixels_a_side_are_read():
    expect(tiff(GREY.tobytes(), {322: 64, 323: 48, 325: GREY.size}), GREY)
    with pytest.raises(UnknownImageFormatError):
        decode_image(tiff(bytes(1000), {322: 1040, 323: 1040, 325: 1000}))


# Colour.


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_to_rgb(image_format: str):
    """Pillow writes CMYK JPEGs inverted and with Adobe's marker."""
    cmyk = Image.fromarray(RGB).convert("CMYK")
    quality = {"quality": 95} if image_format == "JPEG" else {}
    expect(saved(cmyk, image_format, **quality), np.asarray(cmyk.convert("RGB")), within=2)


@pytest.mark.parametrize("transparency", [b"", png_chunk(b"tRNS", bytes(range(256)))])
def test_a_palette_image_is_converted_to_the_palettes_colours(transparency: bytes):
    palette = png_chunk(b"PLTE", PALETTE.tobytes()) + transparency
    expect(png(png_rows(GREY), colour=3, before=palette), PALETTE[GREY])


@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "BMP"])
def test_alpha_of_colour_images_is_dropped(image_format: str):
    expect(saved(ALPHA, image_format, **LOSSLESS[image_format]), RGB)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_alpha_of_grey_images_is_dropped(image_format: str):
    expect(saved(np.dstack([GREY, RGB[:, :, 1]]), image_format), GREY)


def test_a_colour_tiff_with_alpha_is_read_only_if_it_is_opaque():
    expect(saved(np.dstack([RGB, np.full_like(GREY, 255)]), "TIFF"), RGB)
    with pytest.raises(UnknownImageFormatError, match="transparent"):
        decode_image(saved(ALPHA, "TIFF"))


# Orientation.


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_every_exif_orientation_is_applied(image_format: str, orientation: int):
    if image_format == "TIFF":
        data = tiff(RGB.tobytes(), {258: [8] * 3, 262: 2, 277: 3, 274: orientation})
    elif image_format == "JPEG":
        data = saved(RGB, "JPEG", quality=98, exif=b"Exif\0\0" + exif(orientation))
    else:
        data = saved(RGB, image_format, exif=exif(orientation), **LOSSLESS[image_format])
    expect(data, ORIENTATIONS[orientation](RGB), within=12 if image_format == "JPEG" else 0)


# Dimensions and encodings.


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)])
@pytest.mark.parametrize("image_format", ["PNG", "WEBP", "TIFF", "BMP", "JPEG"])
def test_images_of_one_row_column_or_pixel_are_read(image_format: str, size: tuple[int, int]):
    pixels = gradient(*size)
    lossy = image_format == "JPEG"
    data = saved(pixels, image_format, **LOSSLESS.get(image_format, {"quality": 95}))
    expect(data, pixels, within=8 if lossy else 0)


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 2}])
def test_progressive_jpegs_and_jpegs_with_restart_markers_are_read(options: dict[str, object]):
    plain = decode_image(saved(RGB, "JPEG", quality=95)).pixels
    expect(saved(RGB, "JPEG", quality=95, **options), plain)


def test_interlaced_pngs_are_read():
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    passes.append((0, 1, 1, 2))
    rows = b"".join(png_rows(RGB[y::down, x::right]) for x, y, right, down in passes)
    expect(png(rows, colour=2, interlaced=True), RGB)


def test_top_down_16_bit_and_32_bit_bmps_are_read():
    bgr = RGB[:, :, ::-1]
    expect(bmp(bgr.tobytes(), 24, height=-48), RGB)
    expect(bmp(np.dstack([bgr, GREY])[::-1].tobytes(), 32), RGB)
    five = (RGB >> 3).astype(np.uint16)
    packed = five[:, :, 0] << 10 | five[:, :, 1] << 5 | five[:, :, 2]
    expect(bmp(packed[::-1].tobytes(), 16), RGB & 0xF8)


def test_run_length_encoded_bmps_are_rejected():
    runs = b"".join(bytes([64, row % 256]) + b"\0\0" for row in range(48)) + b"\0\1"
    with pytest.raises(UnknownImageFormatError, match="run-length"):
        decode_image(bmp(runs, 8, compression=1, between=bytes(1024)))


@pytest.mark.parametrize(
    ("masks", "read"),
    [
        ((0xFF0000, 0xFF00, 0xFF), True),
        ((0xFF, 0xFF00, 0xFF0000), False),
        ((0xFF000000, 0xFF0000, 0xFF00), False),
        ((0xFF000000, 0xFF00, 0xFF), False),
    ],
)
def test_bmps_with_unusual_colour_masks_are_rejected(masks: tuple[int, int, int], read: bool):
    bgrx = np.dstack([RGB[:, :, ::-1], GREY])[::-1].tobytes()
    file = bmp(bgrx, 32, compression=3, between=struct.pack("<III", *masks))
    if read:
        expect(file, RGB)
    else:
        with pytest.raises(DamagedImageError):
            decode_image(file)
