"""Hiding parts of an image finds the parts that a model relies on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from api.explanation.explainer import CELLS, DARKEST_OF, MASKS
from api.explanation.perturbation import darkened, perturbed, random_masks, relevance
from imaging.model_input import IMAGE_SIZE

RANDOM_MASKS = random_masks(IMAGE_SIZE, count=MASKS, cells=CELLS, seed=0)
IMAGE = np.random.default_rng(0).uniform(0.5, 1, (IMAGE_SIZE, IMAGE_SIZE, 3)).astype(np.float32)
HIDDEN = np.zeros_like(IMAGE)
GREY = (
    np.stack([perturbed(IMAGE, mask, HIDDEN) for mask in RANDOM_MASKS]).mean(axis=3).astype(float)
)


def explained(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map of a linear model with these weights for the pixels."""
    return relevance(RANDOM_MASKS, 0.5 + np.tensordot(GREY, weights, 2))


def square_weights(top: int, left: int, weight: float) -> NDArray[np.float64]:
    weights = np.zeros((IMAGE_SIZE, IMAGE_SIZE))
    weights[top : top + 16, left : left + 16] = weight / 16**2
    return weights


def test_the_masks_hide_each_pixel_as_much_as_they_show_it():
    assert RANDOM_MASKS.shape == (MASKS, IMAGE_SIZE, IMAGE_SIZE)
    assert RANDOM_MASKS.min() >= 0
    assert RANDOM_MASKS.max() <= 1
    assert RANDOM_MASKS.mean(axis=0) == pytest.approx(0.5)
    assert RANDOM_MASKS.std(axis=0).min() > 0.1


def test_the_seed_determines_the_masks():
    again = random_masks(IMAGE_SIZE, count=MASKS, cells=CELLS, seed=0)
    assert (again == RANDOM_MASKS).all()
    assert not (random_masks(IMAGE_SIZE, count=MASKS, cells=CELLS, seed=1) == RANDOM_MASKS).all()


def test_only_the_pixels_that_the_mask_hides_are_replaced():
    mask = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)
    mask[10:20, 30:40] = 1
    image = perturbed(IMAGE, mask, HIDDEN)
    assert image.dtype == np.float32
    assert not image[10:20, 30:40].any()
    assert (image[mask == 0] == IMAGE[mask == 0]).all()


def test_darkening_removes_bright_structures_and_keeps_the_lung():
    lung = np.full((IMAGE_SIZE, IMAGE_SIZE, 3), 0.2, np.float32)
    lung[20:26, 20:26] = 0.8
    assert (darkened(lung, side=DARKEST_OF) == np.float32(0.2)).all()


@settings(deadline=None)
@given(st.integers(0, 48), st.integers(0, 48), st.sampled_from([-0.4, 0.4]))
def test_the_map_is_strongest_at_the_pixels_that_the_model_uses(top: int, left: int, weight: float):
    found = explained(square_weights(top, left, weight)) * np.sign(weight)
    row, column = np.unravel_index(np.argmax(found), found.shape)
    assert top - 8 < row < top + 24
    assert left - 8 < column < left + 24
    inside = found[top : top + 16, left : left + 16].mean()
    assert inside > 2.5 * np.abs(found).mean()


def test_a_model_that_uses_no_pixels_has_an_empty_map():
    assert np.abs(explained(np.zeros((IMAGE_SIZE, IMAGE_SIZE)))).max() < 1e-6


def test_doubling_the_weights_of_the_model_doubles_the_map():
    once, twice = (explained(square_weights(8, 16, weight)) for weight in (0.15, 0.3))
    assert twice == pytest.approx(2 * once, abs=1e-6)


def test_the_map_of_a_model_that_uses_all_pixels_has_a_positive_mean():
    assert explained(np.full((IMAGE_SIZE, IMAGE_SIZE), 0.5 / IMAGE_SIZE**2)).mean() > 0
