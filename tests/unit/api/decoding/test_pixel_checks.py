"""Which images the pixel checks reject, and which odd ones they only mark for review."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from api.decoding.pixel_checks import MIN_SIDE, check_pixels, image_review
from api.rejection_reason import RejectionReason
from imaging.preprocess import preprocess
from tests.conftest import SHARED_UPLOADS
from trainer.demo.phantoms import draw_phantom

Pixels = NDArray[np.uint8]


def slice_pixels(seed: int = 0) -> Pixels:
    grey = draw_phantom(np.random.default_rng(seed), covid=True).pixels
    return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))


def rejection_reasons(pixels: Pixels, modality: str | None = None) -> list[RejectionReason]:
    height, width = pixels.shape[:2]
    return check_pixels(preprocess(pixels), width=width, height=height, modality=modality)


@pytest.mark.parametrize("bits_used", [None, 12])
def test_an_image_whose_samples_were_scaled_is_marked_for_review(bits_used: int | None):
    found = image_review(preprocess(slice_pixels()), bits_used=bits_used)
    assert found == ([] if bits_used is None else ["bit_depth"])


def test_few_grey_levels_and_darkness_are_reasons_to_review():
    found = image_review(preprocess(slice_pixels() // 16), bits_used=None)
    assert found == ["few_grey_levels", "too_dark"]


@pytest.mark.parametrize("seed", range(5))
def test_a_slice_is_not_rejected(seed: int):
    assert rejection_reasons(slice_pixels(seed)) == []


@pytest.mark.parametrize("tint", [(1.3, 1.0, 0.8), (0.8, 1.0, 1.3)], ids=["old print", "blue film"])
def test_a_tinted_image_is_not_rejected(tint: tuple[float, float, float]):
    tinted = 255 * (slice_pixels() / 255) ** np.array(tint)
    assert rejection_reasons(tinted.astype(np.uint8)) == []


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_jpeg_artefacts_of_a_grey_image_do_not_count_as_colour(quality: int):
    noisy = np.random.default_rng(0).normal(0, 4, slice_pixels().shape)
    pixels = np.clip(slice_pixels() + noisy, 0, 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    assert (
        rejection_reasons(np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB), np.uint8)) == []
    )


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (255, 255, 0), (0, 160, 255)])
@pytest.mark.parametrize("mark", ["circle", "arrow", "letters"])
def test_an_image_with_coloured_marks_is_rejected_as_annotated(
    mark: str, colour: tuple[int, int, int]
):
    pixels = cv2.resize(slice_pixels(), (512, 512))
    if mark == "circle":
        cv2.circle(pixels, (200, 260), 40, colour, 3)
    elif mark == "arrow":
        cv2.arrowedLine(pixels, (120, 120), (200, 200), colour, 5)
    else:
        cv2.putText(pixels, "R 12", (60, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.3, colour, 3)
    assert rejection_reasons(np.asarray(pixels, np.uint8)) == [RejectionReason.ANNOTATED]


def test_white_marks_are_not_rejected_because_they_look_like_bones():
    pixels = cv2.resize(slice_pixels(), (512, 512))
    cv2.arrowedLine(pixels, (120, 120), (200, 200), (255, 255, 255), 5)
    assert rejection_reasons(np.asarray(pixels, np.uint8)) == []


def test_a_colour_photo_is_rejected():
    y, x = np.mgrid[:100, :120]
    picture = np.stack([x * 2, y * 2, (x + 2 * y) % 256], axis=-1).astype(np.uint8)
    assert rejection_reasons(picture) == [RejectionReason.COLOUR_PHOTO]


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_single_grey_level_with_noise_is_rejected_as_blank(level: int):
    noise = np.random.default_rng(0).normal(level, 12, (512, 512, 1))
    pixels = np.repeat(np.clip(noise, 0, 255).astype(np.uint8), 3, axis=2)
    assert rejection_reasons(pixels) == [RejectionReason.BLANK]


@pytest.mark.parametrize(
    ("height", "width", "rejected"),
    [(MIN_SIDE, MIN_SIDE, False), (MIN_SIDE - 1, 200, True), (200, MIN_SIDE - 1, True)],
)
def test_an_image_whose_shorter_side_is_below_the_minimum_is_too_small(
    height: int, width: int, rejected: bool
):
    pixels = np.asarray(cv2.resize(slice_pixels(), (width, height)), np.uint8)
    assert (RejectionReason.TOO_SMALL in rejection_reasons(pixels)) == rejected


@pytest.mark.parametrize(
    ("modality", "rejected"), [(None, False), ("CT", False), ("DX", False), ("MR", True)]
)
def test_a_dicom_file_with_another_modality_is_rejected(modality: str | None, rejected: bool):
    assert (
        RejectionReason.WRONG_MODALITY in rejection_reasons(slice_pixels(), modality)
    ) == rejected


def test_every_reason_to_reject_an_image_is_listed():
    pixels = np.zeros((8, 8, 3), np.uint8)
    assert rejection_reasons(pixels, "MR") == [
        RejectionReason.WRONG_MODALITY,
        RejectionReason.TOO_SMALL,
        RejectionReason.BLANK,
    ]


@pytest.mark.skipif(not SHARED_UPLOADS.is_dir(), reason="the real uploads are missing")
def test_the_pixel_checks_do_not_reject_real_uploads():
    from imaging.decode import decode_image

    for file in sorted(SHARED_UPLOADS.iterdir()):
        assert rejection_reasons(decode_image(file.read_bytes()).pixels) == [], file.name
