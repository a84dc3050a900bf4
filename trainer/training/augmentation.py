"""Augmentation with Keras' preprocessing layers. All draws depend on seed and step alone."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from trainer.recipe import Recipe

_DRAWS_PER_STEP: Final = 1 << 10
"""More draws than a layer needs for a batch, so that no two steps share one."""


class Augmenter:
    """Augments batches: images float32 ``[N, 64, 64, 3]`` in 0 to 1, labels float32 ``[N, 2]``.

    Args:
        recipe: which augmentations, and how strong.
        seed: the random seed of all draws.
    """

    def __init__(self, recipe: Recipe, *, seed: int) -> None:
        self._layers = _layers(recipe, seed)

    def __call__(
        self, images: tf.Tensor, labels: tf.Tensor, step: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Augment one batch. A step always gives the same result, whatever was drawn before."""
        batch = {"images": images, "labels": labels}
        for layer in self._layers:
            state = layer.generator.state
            state.assign(tf.stack([state[0], tf.cast(step, state.dtype) * _DRAWS_PER_STEP]))
            batch = layer(batch, training=True)
        return tf.clip_by_value(batch["images"], 0.0, 1.0), batch["labels"]


def _layers(recipe: Recipe, seed: int) -> list[keras.Layer]:
    unit, fill = (0, 1), recipe.fill
    choices: list[tuple[float, Callable[..., keras.Layer]]] = [
        (recipe.flip_horizontal, partial(layers.RandomFlip, "horizontal")),
        (recipe.flip_vertical, partial(layers.RandomFlip, "vertical")),
        (
            recipe.rotation_degrees,
            partial(layers.RandomRotation, recipe.rotation_degrees / 360, fill_mode=fill),
        ),
        (
            recipe.shift,
            partial(layers.RandomTranslation, recipe.shift, recipe.shift, fill_mode=fill),
        ),
        (recipe.zoom, partial(layers.RandomZoom, recipe.zoom, fill_mode=fill)),
        (recipe.contrast, partial(layers.RandomContrast, recipe.contrast, value_range=unit)),
        (recipe.brightness, partial(layers.RandomBrightness, recipe.brightness, value_range=unit)),
        (recipe.gamma, partial(RandomGamma, recipe.gamma)),
        (recipe.mixup, partial(layers.MixUp, recipe.mixup)),
        (recipe.cutmix, partial(layers.CutMix, recipe.cutmix)),
    ]
    seeds = np.random.default_rng(seed).integers(1 << 31, size=len(choices))
    return [
        # In 32 bits, whatever precision the network uses.
        layer(seed=int(own_seed), dtype="float32")
        for (amount, layer), own_seed in zip(choices, seeds, strict=True)
        if amount
    ]


class RandomGamma(keras.Layer):  # type: ignore[misc]
    """Raises pixels to a power, like another window or display. Black and white stay.

    Args:
        factor: powers lie between ``exp(-factor)`` and ``exp(factor)``, uniform on a log scale.
        seed: the random seed of the draws.
        options: those of every Keras layer.
    """

    def __init__(self, factor: float, *, seed: int, **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self.factor = factor
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, batch: dict[str, tf.Tensor], *, training: bool) -> dict[str, tf.Tensor]:
        """Draw a power for each image."""
        if not training:
            return batch
        images = tf.clip_by_value(batch["images"], 0.0, 1.0)
        shape = (tf.shape(images)[0], 1, 1, 1)
        logs = keras.random.uniform(shape, -self.factor, self.factor, seed=self.generator)
        return {**batch, "images": images ** tf.exp(logs)}
