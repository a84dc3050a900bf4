"""Augmentation: as far as the recipe says, and the same again for the same step."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.recipe import Recipe
from trainer.training.augmentation import Augmenter

NONE = Recipe(flip_horizontal=False, flip_vertical=False, rotation_degrees=0, shift=0, zoom=0)
ONE_OPTION = {
    "flip_horizontal": True,
    "flip_vertical": True,
    "rotation_degrees": 30.0,
    "shift": 0.2,
    "zoom": 0.3,
    "brightness": 0.2,
    "contrast": 0.3,
}
GRADIENT = np.linspace(0.2, 0.8, 64, dtype=np.float32)
IMAGES = np.tile((GRADIENT[:, None] * GRADIENT[None, ::-1])[None, ..., None], (8, 1, 1, 3))


def vary(recipe: Recipe, *, step: int = 0, seed: int = 0) -> np.ndarray:
    augment = Augmenter(recipe, seed=seed)
    return augment(tf.constant(IMAGES), tf.constant(step, tf.int64)).numpy()


def test_without_options_an_image_stays_as_it_is():
    np.testing.assert_array_equal(vary(NONE), IMAGES)


@pytest.mark.parametrize(("option", "value"), ONE_OPTION.items())
def test_each_option_varies_each_image_by_itself(option: str, value: float):
    varied = vary(NONE.changed(**{option: value}))
    assert not np.allclose(varied, IMAGES)
    assert len(np.unique(varied.reshape(8, -1), axis=0)) > 1
    assert (varied.dtype, varied.shape) == (np.float32, IMAGES.shape)


def test_a_flip_mirrors_and_does_nothing_else():
    varied = vary(NONE.changed(flip_horizontal=True))
    mirrored = [np.array_equal(image, IMAGES[0, :, ::-1]) for image in varied]
    same = [np.array_equal(image, IMAGES[0]) for image in varied]
    assert all(np.logical_xor(mirrored, same))
    assert any(mirrored)


def test_pixels_stay_between_0_and_1():
    varied = vary(NONE.changed(brightness=1.0, contrast=0.9))
    assert (varied.min(), varied.max()) == (0, 1)


def test_grey_stays_grey():
    varied = vary(NONE.changed(**ONE_OPTION))
    np.testing.assert_allclose(varied[..., 0], varied[..., 1], atol=1e-6)
    np.testing.assert_allclose(varied[..., 0], varied[..., 2], atol=1e-6)


def test_a_constant_fill_moves_black_in_and_nearest_the_edge():
    move = NONE.changed(shift=0.9)
    assert (vary(move.changed(fill="constant")) == 0).any()
    assert vary(move.changed(fill="nearest")).min() > 0


def test_draws_depend_on_seed_and_step_alone():
    recipe = NONE.changed(**ONE_OPTION)
    augment = Augmenter(recipe, seed=0)
    images, step = tf.constant(IMAGES), tf.constant(5, tf.int64)
    for before in (0, 1, 4):
        augment(images, tf.constant(before, tf.int64))
    np.testing.assert_array_equal(augment(images, step), vary(recipe, step=5))
    assert not np.array_equal(vary(recipe, step=5), vary(recipe, step=6))
    assert not np.array_equal(vary(recipe, step=5), vary(recipe, step=5, seed=1))
