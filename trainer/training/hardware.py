"""What training runs on: the CPU, a GPU, or several."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

from trainer.recipe import Recipe


def gpus() -> int:
    """How many GPUs TensorFlow sees."""
    return len(tf.config.list_physical_devices("GPU"))


def strategy() -> tf.distribute.Strategy:
    """Every GPU takes its share of each batch, where there are several."""
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


@contextlib.contextmanager
def precision(recipe: Recipe) -> Iterator[None]:
    """Build layers that compute in 16 bits, where the recipe says so; weights stay in 32 bits."""
    mixed = recipe.mixed_precision == "on" or (recipe.mixed_precision == "auto" and gpus() > 0)
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_float16" if mixed else "float32")
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)
