"""Preprocessing: which images are read or rejected, and values that never change by a bit."""

import hashlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.decode import decode_image
from imaging.errors import ImageError, TooManyPixelsError, UnknownImageFormatError
from imaging.preprocess import preprocess

FORMATS = {"png": ".png", "jpeg": ".jpg", "bmp": ".bmp", "tiff": ".tiff", "webp": ".webp"}


def gradient(height: int = 96, width: int = 128) -> np.ndarray:
    """An RGB image whose channels differ."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], -1).astype(np.uint8)


def encode(pixels: np.ndarray, extension: str) -> bytes:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return cv2.imencode(extension, bgr)[1].tobytes()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_recognised_by_its_content(name: str):
    image = decode_image(encode(gradient(), FORMATS[name]))
    assert (image.format, image.width, image.height) == (name, 128, 96)
    assert image.pixels.dtype == np.uint8


@pytest.mark.parametrize("name", ["png", "bmp", "tiff"])
def test_lossless_formats_decode_to_the_original_rgb_pixels(name: str):
    pixels = gradient()
    np.testing.assert_array_equal(decode_image(encode(pixels, FORMATS[name])).pixels, pixels)


def test_grey_images_are_decoded_to_three_equal_channels():
    grey = gradient()[:, :, 0]
    pixels = decode_image(encode(grey, ".png")).pixels
    np.testing.assert_array_equal(pixels, np.repeat(grey[:, :, None], 3, 2))


def test_alpha_does_not_affect_the_decoded_pixels():
    bgr = cv2.cvtColor(gradient(), cv2.COLOR_RGB2BGR)
    opaque, clear = (np.dstack([bgr, np.full(bgr.shape[:2], a, np.uint8)]) for a in (255, 0))
    decoded = [decode_image(cv2.imencode(".png", i)[1].tobytes()).pixels for i in (opaque, clear)]
    np.testing.assert_array_equal(*decoded)
    np.testing.assert_array_equal(decoded[0], gradient())


def test_16_bit_samples_are_reduced_to_8_bits():
    deep = gradient()[:, :, 0].astype(np.uint16) * 257
    pixels = decode_image(cv2.imencode(".png", deep)[1].tobytes()).pixels
    np.testing.assert_array_equal(pixels[:, :, 0], gradient()[:, :, 0])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file_is_rejected(name: str, share: float):
    data = encode(gradient(), FORMATS[name])
    with pytest.raises(ImageError):
        decode_image(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"%PDF-1.7", b"PK\x03\x04", b"<svg/>", b"GIF89a" + b"\0" * 64]
)
def test_data_in_no_supported_format_is_rejected_as_unknown_format(data: bytes):
    with pytest.raises(UnknownImageFormatError):
        decode_image(data)


def test_too_many_pixels_are_rejected_from_the_header(monkeypatch: pytest.MonkeyPatch):
    decodings: list[object] = []
    monkeypatch.setattr(cv2, "imdecode", lambda *a: decodings.append(a))
    with pytest.raises(TooManyPixelsError, match="128 x 96"):
        decode_image(encode(gradient(), ".png"), max_pixels=128 * 96 - 1)
    assert decodings == []


@given(st.binary(max_size=512))
def test_random_bytes_are_rejected_with_an_image_error(data: bytes):
    with pytest.raises(ImageError):
        decode_image(data)


@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 10_000), st.integers(0, 255))
def test_a_file_with_a_changed_byte_is_decoded_or_rejected_with_an_image_error(
    name: str, position: int, value: int
):
    data = bytearray(encode(gradient(24, 32), FORMATS[name]))
    data[position % len(data)] = value
    try:
        image = decode_image(bytes(data), max_pixels=1_000_000)
    except ImageError:
        return
    assert image.pixels.shape[2] == 3


def test_preprocess_returns_a_64_by_64_rgb_tensor_between_0_and_1():
    tensor = preprocess(gradient())
    assert (tensor.shape, tensor.dtype) == ((64, 64, 3), np.float32)
    assert 0 <= tensor.min() < tensor.max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (64, 64), (63, 65)])
def test_a_white_image_of_any_size_stays_white(shape: tuple[int, int]):
    tensor = preprocess(np.full((*shape, 3), 255, np.uint8))
    assert tensor.shape == (64, 64, 3)
    assert tensor.min() == 1


RECORDED: dict[str, tuple[Callable[[], np.ndarray], str]] = {
    "smaller": (lambda: gradient(40, 50), "587abc4545d29639"),
    "equal": (lambda: gradient(64, 64), "f3f3e69f8df91321"),
    "larger": (lambda: gradient(288, 419), "797ad294866600ae"),
    "much larger": (lambda: gradient(1024, 1024), "e32983c29c8a8a3c"),
}


@pytest.mark.parametrize("case", RECORDED)
def test_preprocessed_values_equal_the_recorded_ones_bit_for_bit(case: str):
    make, digest = RECORDED[case]
    assert hashlib.sha256(preprocess(make()).tobytes()).hexdigest()[:16] == digest
