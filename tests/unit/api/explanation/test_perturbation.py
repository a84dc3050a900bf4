"""Hiding parts of an image finds the parts that a model goes by."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from api.explanation.explainer import CELLS, DARKEST_OF, MASKS
from api.explanation.perturbation import darkened, perturbed, random_masks, relevance
from imaging.model_input import IMAGE_SIZE

HIDING = random_masks(IMAGE_SIZE, count=MASKS, cells=CELLS, seed=0)
IMAGE = np.random.default_rng(0).uniform(0.5, 1, (IMAGE_SIZE, IMAGE_SIZE, 3)).astype(np.float32)
HIDDEN = np.zeros_like(IMAGE)
GREY = np.stack([perturbed(IMAGE, mask, HIDDEN) for mask in HIDING]).mean(axis=3).astype(float)


def explained(model: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map of a model that adds up the image's pixels by these weights."""
    return relevance(HIDING, 0.5 + np.tensordot(GREY, model, 2))


def looking_at(top: int, left: int, weight: float) -> NDArray[np.float64]:
    model = np.zeros((IMAGE_SIZE, IMAGE_SIZE))
    model[top : top + 16, left : left + 16] = weight / 16**2
    return model


def test_each_pixel_is_hidden_as_much_as_it_is_shown():
    assert HIDING.shape == (MASKS, IMAGE_SIZE, IMAGE_SIZE)
    assert HIDING.min() >= 0
    assert HIDING.max() <= 1
    assert HIDING.mean(axis=0) == pytest.approx(0.5)
    assert HIDING.std(axis=0).min() > 0.1


def test_masks_are_the_same_each_time_and_others_from_another_seed():
    again = random_masks(IMAGE_SIZE, count=MASKS, cells=CELLS, seed=0)
    assert (again == HIDING).all()
    assert not (random_masks(IMAGE_SIZE, count=MASKS, cells=CELLS, seed=1) == HIDING).all()


def test_only_what_a_mask_hides_is_replaced():
    mask = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)
    mask[10:20, 30:40] = 1
    image = perturbed(IMAGE, mask, HIDDEN)
    assert image.dtype == np.float32
    assert not image[10:20, 30:40].any()
    assert (image[mask == 0] == IMAGE[mask == 0]).all()


def test_what_is_bright_in_the_lung_goes_and_the_lung_stays():
    lung = np.full((IMAGE_SIZE, IMAGE_SIZE, 3), 0.2, np.float32)
    lung[20:26, 20:26] = 0.8
    assert (darkened(lung, side=DARKEST_OF) == np.float32(0.2)).all()


@settings(deadline=None)
@given(st.integers(0, 48), st.integers(0, 48), st.sampled_from([-0.4, 0.4]))
def test_the_map_is_strongest_where_the_model_looks(top: int, left: int, weight: float):
    found = explained(looking_at(top, left, weight)) * np.sign(weight)
    row, column = np.unravel_index(np.argmax(found), found.shape)
    assert top - 8 < row < top + 24
    assert left - 8 < column < left + 24
    inside = found[top : top + 16, left : left + 16].mean()
    assert inside > 2.5 * np.abs(found).mean()


def test_a_model_that_looks_nowhere_has_an_empty_map():
    assert np.abs(explained(np.zeros((IMAGE_SIZE, IMAGE_SIZE)))).max() < 1e-6


def test_a_model_that_looks_twice_as_hard_has_a_map_twice_as_strong():
    once, twice = (explained(looking_at(8, 16, weight)) for weight in (0.15, 0.3))
    assert twice == pytest.approx(2 * once, abs=1e-6)


def test_a_model_that_looks_everywhere_has_a_map_that_says_so():
    assert explained(np.full((IMAGE_SIZE, IMAGE_SIZE), 0.5 / IMAGE_SIZE**2)).mean() > 0
