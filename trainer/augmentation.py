"""Augmentation as a Keras model that runs inside the input pipeline, on batches."""

import keras
from keras import layers

from trainer.recipe import Augmentation


def augmenter(augmentation: Augmentation, *, seed: int) -> keras.Sequential:
    """Build the layers that vary a batch, float32 ``[N, 64, 64, 3]`` in 0 to 1."""
    steps: list[keras.Layer] = []
    if augmentation.flip:
        steps.append(layers.RandomFlip("horizontal", seed=seed))
    # What is moved in from outside is black, as the air round a patient is.
    if augmentation.rotation_degrees:
        turn = augmentation.rotation_degrees / 360
        steps.append(layers.RandomRotation(turn, fill_mode="constant", seed=seed))
    if augmentation.shift:
        shift = augmentation.shift
        steps.append(layers.RandomTranslation(shift, shift, fill_mode="constant", seed=seed))
    if augmentation.zoom:
        steps.append(layers.RandomZoom(augmentation.zoom, fill_mode="constant", seed=seed))
    return keras.Sequential(steps or [layers.Identity()], name="augmentation")
