"""Wrongly decoded images look odd; real ones do not."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.decode import decode_image
from imaging.errors import ImageError
from imaging.plausibility import Oddity, oddities
from imaging.preprocess import preprocess
from tests.conftest import SHARED_UPLOADS
from trainer.demo.phantoms import draw_phantom

SHARED = SHARED_UPLOADS.parent


def phantom(seed: int = 0) -> NDArray[np.uint8]:
    grey = draw_phantom(np.random.default_rng(seed), covid=True).pixels
    return np.repeat(grey[..., None], 3, axis=2)


def found(pixels: NDArray[np.uint8]) -> list[Oddity]:
    return oddities(preprocess(pixels))


@pytest.mark.parametrize("seed", range(10))
def test_a_phantom_slice_is_not_odd(seed: int):
    assert found(phantom(seed)) == []


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (phantom() // 16, {Oddity.FEW_GREY_LEVELS, Oddity.TOO_DARK}),
        (phantom() // 4, {Oddity.FEW_GREY_LEVELS, Oddity.TOO_DARK}),
        (phantom() // 10 + 230, {Oddity.FEW_GREY_LEVELS, Oddity.TOO_BRIGHT}),
        (phantom() // 3 + 170, {Oddity.TOO_BRIGHT}),
        (np.where(phantom() > 90, 255, 0).astype(np.uint8), {Oddity.SATURATED}),
        (np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8), {Oddity.NOISE}),
        (np.zeros((64, 64, 3), np.uint8), {Oddity.SATURATED, Oddity.FEW_GREY_LEVELS}),
    ],
    ids=[
        "12 bits",
        "14 bits",
        "no window",
        "too bright",
        "two grey levels",
        "random bytes",
        "black",
    ],
)
def test_wrongly_decoded_pixels_are_odd(pixels: NDArray[np.uint8], expected: set[Oddity]):
    assert expected <= set(found(pixels))


@pytest.mark.parametrize(
    ("folder", "every"), [("sars-cov-2-ct-scan", 20), ("covid-ct", 10), ("xray", 10)]
)
def test_real_images_are_not_odd(folder: str, every: int):
    files = sorted((SHARED / folder).glob("*/*"))[::every]
    if not files:
        pytest.skip(f"{folder} is missing")
    odd = {file.name: found(decode_image(file.read_bytes()).pixels) for file in files}
    assert {name: reasons for name, reasons in odd.items() if reasons} == {}


@pytest.mark.parametrize("folder", ["uploads", "dicom"])
def test_uploads_are_not_odd(folder: str):
    files = sorted((SHARED / folder).glob("*"))
    if not files:
        pytest.skip(f"{folder} is missing")
    assert {file.name: reasons for file in files if (reasons := oddities_of_file(file))} == {}


def oddities_of_file(file: Path) -> list[Oddity]:
    try:
        return found(decode_image(file.read_bytes()).pixels)
    except ImageError:
        return []
