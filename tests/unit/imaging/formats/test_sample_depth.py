"""16-bit samples that use fewer bits are scaled to the full range, and ``bits_used`` says so."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.decode import DecodedImage, decode_image
from tests.image_files import GREY, RGB, exif, png_chunk, saved, tiff

Encoder = Callable[[NDArray[np.uint16]], bytes]

CT = np.round(-1024 + 2000.0 * (GREY / 255) + np.arange(48)[:, None]).astype(np.int32)
"""Hounsfield units."""


def png(deep: NDArray[np.uint16], *chunks: bytes) -> bytes:
    file = cv2.imencode(".png", deep if deep.ndim == 2 else deep[..., ::-1])[1].tobytes()
    return file[:33] + b"".join(chunks) + file[33:]


def plain_tiff(deep: NDArray[np.uint16], **tags: int) -> bytes:
    colour = {258: [16] * 3, 262: 2, 277: 3} if deep.ndim == 3 else {258: 16}
    own = {int(tag.lstrip("t")): value for tag, value in tags.items()}
    return tiff(deep.astype("<u2").tobytes(), {**colour, **own})


def grey_levels(image: DecodedImage) -> NDArray[np.int64]:
    return image.pixels.astype(np.int64)


ENCODERS = pytest.mark.parametrize("encode", [png, plain_tiff], ids=["png", "tiff"])


@ENCODERS
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
@pytest.mark.parametrize("bits", [8, 9, 10, 12, 13, 14, 15])
def test_values_in_the_lower_bits_are_scaled_to_the_full_range(
    encode: Encoder, colour: bool, bits: int
):
    eight = RGB if colour else GREY
    image = decode_image(encode(eight.astype(np.uint16) << (bits - 8)))
    expected = eight if colour else np.repeat(eight[..., None], 3, 2)
    assert (image.pixels == expected).all()
    assert image.bits_used == bits


@ENCODERS
@pytest.mark.parametrize("beyond", [0, 1, 40])
@pytest.mark.parametrize("bits", [12, 14])
def test_values_just_above_a_power_of_two_do_not_count_as_another_bit(
    encode: Encoder, bits: int, beyond: int
):
    deep = GREY.astype(np.uint16) << (bits - 8)
    expected = decode_image(encode(deep)).pixels.copy()
    deep[0, 0] = (1 << bits) + beyond
    expected[0, 0] = 255
    image = decode_image(encode(deep))
    assert image.bits_used == bits
    assert (image.pixels == expected).all()


@ENCODERS
def test_values_that_use_all_16_bits_are_not_scaled(encode: Encoder):
    image = decode_image(encode(GREY.astype(np.uint16) * 257))
    assert (image.pixels == GREY[..., None]).all()
    assert image.bits_used is None


@ENCODERS
@pytest.mark.parametrize(
    "stored",
    [CT + 32_768, CT % 65_536, (CT - CT.min()) + 32_768],
    ids=["offset", "two's complement", "unsigned and an offset"],
)
def test_signed_values_are_scaled_from_the_lowest_to_the_highest(
    encode: Encoder, stored: NDArray[np.int32]
):
    image = decode_image(encode(stored.astype(np.uint16)))
    expected = 255 * (CT - CT.min()) / (CT.max() - CT.min())
    assert np.abs(grey_levels(image)[..., 0] - expected).max() <= 0.5
    assert image.bits_used == 11


@pytest.mark.parametrize("shift", [0, 1])
def test_the_significant_bits_of_a_png_determine_its_scale(shift: int):
    dark = (GREY.astype(np.uint16) << 4) >> shift
    image = decode_image(png(dark, png_chunk(b"sBIT", b"\x0c")))
    assert (image.pixels == (GREY >> shift)[..., None]).all()
    assert image.bits_used == 12


def test_significant_bits_of_values_that_fill_the_range_are_ignored():
    full = GREY.astype(np.uint16) * 257 & 0xFFF0
    image = decode_image(png(full, png_chunk(b"sBIT", b"\x0c")))
    assert (image.pixels == GREY[..., None]).all()
    assert image.bits_used is None


def test_the_highest_value_declared_by_a_tiff_determines_its_scale():
    image = decode_image(plain_tiff(GREY.astype(np.uint16) << 3, t281=4095))
    assert (image.pixels == (GREY >> 1)[..., None]).all()
    assert image.bits_used == 12


def test_white_marks_do_not_hide_the_number_of_used_bits():
    deep = GREY.astype(np.uint16) << 4
    deep[:4, :8] = 65_535
    image = decode_image(png(deep))
    assert (image.pixels[4:] == GREY[4:, :, None]).all()
    assert (image.pixels[:4, :8] == 255).all()


def test_zero_padding_does_not_hide_an_offset():
    deep = (CT + 32_768).astype(np.uint16)
    deep[:4] = 0
    image = decode_image(png(deep))
    assert image.bits_used == 11
    assert (image.pixels[:4] == 0).all()
    assert image.pixels[4:].max() == 255


def test_an_image_of_two_grey_levels_is_not_scaled():
    deep = np.where(GREY > 100, 65_535, 0).astype(np.uint16)
    assert (decode_image(png(deep)).pixels == (deep >> 8)[..., None]).all()


def test_a_white_is_zero_tiff_is_scaled_and_inverted():
    image = decode_image(plain_tiff(GREY.astype(np.uint16) << 4, t262=0))
    assert (image.pixels == 255 - GREY[..., None]).all()


def test_the_alpha_channel_does_not_count_towards_the_used_bits():
    deep = np.dstack([RGB.astype(np.uint16) << 4, np.full(GREY.shape, 65_535, np.uint16)])
    file = cv2.imencode(".png", deep[..., [2, 1, 0, 3]])[1].tobytes()
    image = decode_image(file)
    assert (image.pixels == RGB).all()
    assert image.bits_used == 12


def test_the_orientation_of_a_scaled_image_is_applied():
    plain = saved(GREY.astype(np.uint16) << 4, "PNG")
    rotated = saved(GREY.astype(np.uint16) << 4, "PNG", exif=exif(6))
    expected = np.rot90(decode_image(plain).pixels, -1)
    assert (decode_image(rotated).pixels == expected).all()


def test_uniform_and_8_bit_images_report_no_used_bits():
    assert decode_image(png(np.full((40, 40), 100, np.uint16))).bits_used is None
    assert decode_image(saved(GREY // 4, "PNG")).bits_used is None


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_a_dark_png_already_scaled_to_16_bits_stays_dark(bits: int):
    dark = (GREY.astype(np.uint16) << 6) & np.uint16(0xFFFF << (16 - bits) & 0xFFFF)
    image = decode_image(png(dark, png_chunk(b"sBIT", bytes([bits]))))
    assert (image.pixels == (dark >> 8)[..., None]).all()
    assert image.bits_used is None


@pytest.mark.parametrize(("tag", "highest"), [("t281", 4096), ("t341", 4095), ("t341", 4096)])
def test_other_declarations_of_the_highest_value_are_understood(tag: str, highest: int):
    image = decode_image(plain_tiff(GREY.astype(np.uint16) << 3, **{tag: highest}))
    assert (image.pixels == (GREY >> 1)[..., None]).all()
    assert image.bits_used == 12


def test_a_tiff_that_declares_all_16_bits_used_is_not_scaled():
    deep = GREY.astype(np.uint16) << 7
    image = decode_image(plain_tiff(deep, t281=65_535))
    assert (image.pixels == (deep >> 8)[..., None]).all()
    assert image.bits_used is None


@ENCODERS
def test_signed_values_that_are_all_negative_are_scaled(encode: Encoder):
    values = CT + 32_768 - 1_024
    image = decode_image(encode(values.astype(np.uint16)))
    expected = 255 * (CT - CT.min()) / (CT.max() - CT.min())
    assert np.abs(grey_levels(image)[..., 0] - expected).max() <= 0.5
