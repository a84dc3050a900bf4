"""Augmentation: Keras' preprocessing layers, each draw a function of the step alone."""

from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from trainer.recipe import Recipe

_DRAWS_PER_STEP: Final = 1 << 10
"""More than a layer takes for a batch, so that no two steps share one."""


class Augmenter:
    """Varies batches of images, float32 ``[N, 64, 64, 3]`` in 0 to 1.

    Args:
        recipe: how far.
        seed: of all draws.
    """

    def __init__(self, recipe: Recipe, *, seed: int) -> None:
        self._layers = _layers(recipe, seed)

    def __call__(self, images: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Vary one batch; the same step varies it in the same way, whatever was drawn before."""
        for layer in self._layers:
            state = layer.generator.state
            state.assign(tf.stack([state[0], tf.cast(step, state.dtype) * _DRAWS_PER_STEP]))
            images = layer(images, training=True)
        return tf.clip_by_value(images, 0.0, 1.0)


def _layers(recipe: Recipe, seed: int) -> list[keras.Layer]:
    seeds = (int(each) for each in np.random.default_rng(seed).integers(1 << 31, size=8))

    def common() -> dict[str, Any]:
        # Images stay whole numbers' worth of precision, whatever the network computes in.
        return {"seed": next(seeds), "dtype": "float32"}

    steps: list[keras.Layer] = []
    if recipe.flip_horizontal:
        steps.append(layers.RandomFlip("horizontal", **common()))
    if recipe.flip_vertical:
        steps.append(layers.RandomFlip("vertical", **common()))
    if recipe.rotation_degrees:
        turn = recipe.rotation_degrees / 360
        steps.append(layers.RandomRotation(turn, fill_mode=recipe.fill, **common()))
    if recipe.shift:
        shift = (recipe.shift, recipe.shift)
        steps.append(layers.RandomTranslation(*shift, fill_mode=recipe.fill, **common()))
    if recipe.zoom:
        steps.append(layers.RandomZoom(recipe.zoom, fill_mode=recipe.fill, **common()))
    if recipe.contrast:
        steps.append(layers.RandomContrast(recipe.contrast, value_range=(0, 1), **common()))
    if recipe.brightness:
        steps.append(layers.RandomBrightness(recipe.brightness, value_range=(0, 1), **common()))
    return steps
