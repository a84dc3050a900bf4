"""Augmentation follows the recipe, and is the same again for the same step."""

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
    "gamma": 0.5,
    "mixup": 0.5,
    "cutmix": 1.0,
}
GRADIENT = np.linspace(0.2, 0.8, 64, dtype=np.float32)
IMAGES = np.tile((GRADIENT[:, None] * GRADIENT[None, ::-1])[None, ..., None], (8, 1, 1, 3))
IMAGES *= np.linspace(0.5, 1, 8, dtype=np.float32)[:, None, None, None]
LABELS = np.eye(2, dtype=np.float32)[np.arange(8) % 2]


def vary_both(
    recipe: Recipe, images: np.ndarray, labels: np.ndarray, *, step: int = 0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    augment = Augmenter(recipe, seed=seed)
    varied = augment(tf.constant(images), tf.constant(labels), tf.constant(step, tf.int64))
    return varied[0].numpy(), varied[1].numpy()


def vary(recipe: Recipe, *, step: int = 0, seed: int = 0) -> np.ndarray:
    images, labels = vary_both(recipe, IMAGES, LABELS, step=step, seed=seed)
    if not (recipe.mixup or recipe.cutmix):
        np.testing.assert_array_equal(labels, LABELS)
    return images


def test_images_are_unchanged_without_options():
    np.testing.assert_array_equal(vary(NONE), IMAGES)


@pytest.mark.parametrize(("option", "value"), ONE_OPTION.items())
def test_each_option_varies_images_individually(option: str, value: float):
    varied = vary(NONE.changed(**{option: value}))
    assert not np.allclose(varied, IMAGES)
    assert len(np.unique(varied.reshape(8, -1), axis=0)) > 1
    assert (varied.dtype, varied.shape) == (np.float32, IMAGES.shape)


def test_a_flip_mirrors_some_images_and_leaves_the_others_unchanged():
    varied = vary(NONE.changed(flip_horizontal=True))
    both = list(zip(varied, IMAGES, strict=True))
    mirrored = [np.array_equal(image, original[:, ::-1]) for image, original in both]
    same = [np.array_equal(image, original) for image, original in both]
    assert all(np.logical_xor(mirrored, same))
    assert any(mirrored)


def test_gamma_keeps_black_and_white_and_the_order_of_grey_levels():
    images = np.broadcast_to(np.linspace(0, 1, 64, dtype=np.float32)[:, None], (8, 64, 64))
    images = np.repeat(images[..., None], 3, axis=-1)
    varied, _ = vary_both(NONE.changed(gamma=1.0), images, LABELS)
    np.testing.assert_allclose(varied[:, 0], 0)
    np.testing.assert_allclose(varied[:, -1], 1)
    assert (np.diff(varied, axis=1) >= 0).all()


def test_mixup_blends_labels_in_proportion_to_the_images():
    number = np.arange(8, dtype=np.float32) / 8
    images = np.broadcast_to(number[:, None, None, None], (8, 64, 64, 3))
    varied, labels = vary_both(NONE.changed(mixup=1.0), images, np.eye(8, dtype=np.float32))
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(varied[:, 0, 0, 0], labels @ number, atol=1e-6)
    assert ((labels > 0).sum(axis=1) == 2).any()


def test_cutmix_blends_labels_in_proportion_to_the_pixels():
    images = np.broadcast_to(np.eye(8, dtype=np.float32)[:, None, None, :3], (8, 64, 64, 3))
    varied, labels = vary_both(NONE.changed(cutmix=1.0), images, np.eye(8, dtype=np.float32))
    assert set(np.unique(varied)) == {0, 1}
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    shares = varied.mean(axis=(1, 2))
    # The edge of a patch may cut through a pixel.
    np.testing.assert_allclose(shares, labels[:, :3], atol=0.04)
    assert ((labels > 0).sum(axis=1) == 2).any()


def test_pixels_stay_between_0_and_1():
    varied = vary(NONE.changed(brightness=1.0, contrast=0.9))
    assert (varied.min(), varied.max()) == (0, 1)


def test_grey_images_stay_grey():
    varied = vary(NONE.changed(**ONE_OPTION))
    np.testing.assert_allclose(varied[..., 0], varied[..., 1], atol=1e-6)
    np.testing.assert_allclose(varied[..., 0], varied[..., 2], atol=1e-6)


def test_a_constant_fill_is_black_and_a_nearest_fill_repeats_the_edge():
    move = NONE.changed(shift=0.9)
    assert (vary(move.changed(fill="constant")) == 0).any()
    assert vary(move.changed(fill="nearest")).min() > 0


def test_augmentation_depends_only_on_seed_and_step():
    recipe = NONE.changed(**ONE_OPTION)
    augment = Augmenter(recipe, seed=0)
    images, labels = tf.constant(IMAGES), tf.constant(LABELS)
    for before in (0, 1, 4):
        augment(images, labels, tf.constant(before, tf.int64))
    varied, _ = augment(images, labels, tf.constant(5, tf.int64))
    np.testing.assert_array_equal(varied, vary(recipe, step=5))
    assert not np.array_equal(vary(recipe, step=5), vary(recipe, step=6))
    assert not np.array_equal(vary(recipe, step=5), vary(recipe, step=5, seed=1))
