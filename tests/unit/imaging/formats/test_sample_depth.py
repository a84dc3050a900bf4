"""Sixteen bits a sample of which fewer are used: brought to the full range, and said."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.preprocess import DecodedImage, decode_image
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
def test_values_in_the_lower_bits_are_brought_to_the_full_range(
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
def test_values_just_above_a_power_of_two_take_no_further_bit(
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
def test_values_that_fill_their_range_are_as_they_were(encode: Encoder):
    image = decode_image(encode(GREY.astype(np.uint16) * 257))
    assert (image.pixels == GREY[..., None]).all()
    assert image.bits_used is None


@ENCODERS
@pytest.mark.parametrize(
    "stored",
    [CT + 32_768, CT % 65_536, (CT - CT.min()) + 32_768],
    ids=["offset", "two's complement", "unsigned and an offset"],
)
def test_signed_values_are_shown_from_the_lowest_to_the_highest(
    encode: Encoder, stored: NDArray[np.int32]
):
    image = decode_image(encode(stored.astype(np.uint16)))
    expected = 255 * (CT - CT.min()) / (CT.max() - CT.min())
    assert np.abs(grey_levels(image)[..., 0] - expected).max() <= 0.5
    assert image.bits_used == 11


@pytest.mark.parametrize("shift", [0, 1])
def test_a_png_that_says_its_significant_bits_is_taken_at_its_word(shift: int):
    dark = (GREY.astype(np.uint16) << 4) >> shift
    image = decode_image(png(dark, png_chunk(b"sBIT", b"\x0c")))
    assert (image.pixels == (GREY >> shift)[..., None]).all()
    assert image.bits_used == 12


def test_significant_bits_that_fill_the_range_change_nothing():
    full = GREY.astype(np.uint16) * 257 & 0xFFF0
    image = decode_image(png(full, png_chunk(b"sBIT", b"\x0c")))
    assert (image.pixels == GREY[..., None]).all()
    assert image.bits_used is None


def test_a_tiff_that_says_its_highest_value_is_taken_at_its_word():
    image = decode_image(plain_tiff(GREY.astype(np.uint16) << 3, t281=4095))
    assert (image.pixels == (GREY >> 1)[..., None]).all()
    assert image.bits_used == 12


def test_marks_in_white_do_not_hide_how_many_bits_are_used():
    deep = GREY.astype(np.uint16) << 4
    deep[:4, :8] = 65_535
    image = decode_image(png(deep))
    assert (image.pixels[4:] == GREY[4:, :, None]).all()
    assert (image.pixels[:4, :8] == 255).all()


def test_padding_with_zeros_does_not_hide_an_offset():
    deep = (CT + 32_768).astype(np.uint16)
    deep[:4] = 0
    image = decode_image(png(deep))
    assert image.bits_used == 11
    assert (image.pixels[:4] == 0).all()
    assert image.pixels[4:].max() == 255


def test_two_tones_are_no_sign_of_anything():
    deep = np.where(GREY > 100, 65_535, 0).astype(np.uint16)
    assert (decode_image(png(deep)).pixels == (deep >> 8)[..., None]).all()


def test_white_may_be_zero():
    image = decode_image(plain_tiff(GREY.astype(np.uint16) << 4, t262=0))
    assert (image.pixels == 255 - GREY[..., None]).all()


def test_transparency_does_not_count():
    deep = np.dstack([RGB.astype(np.uint16) << 4, np.full(GREY.shape, 65_535, np.uint16)])
    file = cv2.imencode(".png", deep[..., [2, 1, 0, 3]])[1].tobytes()
    image = decode_image(file)
    assert (image.pixels == RGB).all()
    assert image.bits_used == 12


def test_the_orientation_is_applied():
    plain = saved(GREY.astype(np.uint16) << 4, "PNG")
    turned = saved(GREY.astype(np.uint16) << 4, "PNG", exif=exif(6))
    expected = np.rot90(decode_image(plain).pixels, -1)
    assert (decode_image(turned).pixels == expected).all()


def test_one_grey_all_over_and_eight_bits_say_nothing():
    assert decode_image(png(np.full((40, 40), 100, np.uint16))).bits_used is None
    assert decode_image(saved(GREY // 4, "PNG")).bits_used is None


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_a_dark_png_that_says_its_significant_bits_stays_dark(bits: int):
    dark = (GREY.astype(np.uint16) << 6) & np.uint16(0xFFFF << (16 - bits) & 0xFFFF)
    image = decode_image(png(dark, png_chunk(b"sBIT", bytes([bits]))))
    assert (image.pixels == (dark >> 8)[..., None]).all()
    assert image.bits_used is None


@pytest.mark.parametrize(("tag", "highest"), [("t281", 4096), ("t341", 4095), ("t341", 4096)])
def test_other_ways_to_say_the_highest_value(tag: str, highest: int):
    image = decode_image(plain_tiff(GREY.astype(np.uint16) << 3, **{tag: highest}))
    assert (image.pixels == (GREY >> 1)[..., None]).all()
    assert image.bits_used == 12


def test_a_tiff_that_says_that_all_bits_are_used_is_as_it_was():
    deep = GREY.astype(np.uint16) << 7
    image = decode_image(plain_tiff(deep, t281=65_535))
    assert (image.pixels == (deep >> 8)[..., None]).all()
    assert image.bits_used is None


@ENCODERS
def test_signed_values_below_the_middle_alone(encode: Encoder):
    values = CT + 32_768 - 1_024
    image = decode_image(encode(values.astype(np.uint16)))
    expected = 255 * (CT - CT.min()) / (CT.max() - CT.min())
    assert np.abs(grey_levels(image)[..., 0] - expected).max() <= 0.5
