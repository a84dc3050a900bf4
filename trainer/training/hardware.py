"""Selects the training hardware: the CPU, a GPU, or several."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import keras
import tensorflow as tf

from trainer.recipe import Recipe

_CPU_INFO: Final = Path("/proc/cpuinfo")


def gpus() -> int:
    """Return the number of GPUs that TensorFlow detects."""
    return len(tf.config.list_physical_devices("GPU"))


def strategy() -> tf.distribute.Strategy:
    """Return the distribution strategy: several GPUs share each batch."""
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def replicas() -> int:
    """Return how many devices share a batch."""
    count: int = strategy().num_replicas_in_sync
    return count


@contextlib.contextmanager
def precision(recipe: Recipe) -> Iterator[None]:
    """Build layers that compute in 16 bits if the recipe says so. Weights stay in 32 bits."""
    wanted = recipe.mixed_precision
    mixed = wanted == "on" or (wanted == "auto" and (gpus() > 0 or _cpu_has_bfloat16()))
    sixteen_bits = "mixed_float16" if gpus() else "mixed_bfloat16"
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy(sixteen_bits if mixed else "float32")
    try:
        yield
    finally:
        keras.mixed_precision.set_dtype_policy(before)


def _cpu_has_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16 in hardware. Emulating it would be slow."""
    try:
        flags = set(_CPU_INFO.read_text().split())
    except OSError:  # exists only on Linux
        return False
    return not flags.isdisjoint(("avx512_bf16", "amx_bf16"))
