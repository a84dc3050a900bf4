"""Training batches. Images, order and augmentation depend on the seed and the step alone.

So two runs with one seed see the same batches, and so does a run that continues a stopped one.
"""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from serving.contract import CLASS_NAMES
from trainer.dataset.images import LabelledImages
from trainer.recipe import Recipe
from trainer.training.augmentation import Augmenter


def steps_per_epoch(data: LabelledImages, recipe: Recipe) -> int:
    """Return the number of full batches per epoch.

    A short last batch would give batch normalisation a noisy step.
    """
    return len(data) // recipe.batch_size


def training_batches(
    data: LabelledImages, recipe: Recipe, *, seed: int, first_epoch: int = 0
) -> tf.data.Dataset:
    """Return all batches from an epoch to the last, in training order.

    Args:
        data: images that fit into memory.
        recipe: epochs, batch size and augmentation.
        seed: the random seed of order and augmentation.
        first_epoch: the epoch to begin with, counted from 0.

    Returns:
        Pairs of images float32 ``[batch_size, 64, 64, 3]`` and one-hot labels float32
        ``[batch_size, 2]``.
    """
    order = np.concatenate(
        [_epoch_order(data, recipe, [seed, epoch]) for epoch in range(recipe.epochs)]
    )
    first_step = first_epoch * steps_per_epoch(data, recipe)
    images = tf.constant(data.images)
    labels = tf.one_hot(data.labels, len(CLASS_NAMES))
    augment = Augmenter(recipe, seed=seed)
    return (
        tf.data.Dataset.from_tensor_slices(order)
        .enumerate()
        .skip(first_step)
        # Sequential, because all batches share the random state of the layers.
        .map(
            lambda step, chosen: augment(tf.gather(images, chosen), tf.gather(labels, chosen), step)
        )
        .prefetch(tf.data.AUTOTUNE)
    )


def _epoch_order(data: LabelledImages, recipe: Recipe, seed: list[int]) -> NDArray[np.int32]:
    steps = steps_per_epoch(data, recipe)
    order = np.random.default_rng(seed).permutation(len(data)).astype(np.int32)
    return order[: steps * recipe.batch_size].reshape(steps, recipe.batch_size)
