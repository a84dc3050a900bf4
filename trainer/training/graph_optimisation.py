"""Switches TensorFlow's graph optimiser off where it costs more than it gains."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def without_graph_optimisation() -> Iterator[None]:
    """Run functions that are first called in the body as traced, without optimisation.

    The optimiser (Grappler) copies and rewrites each function before its first call, including
    constant weights. For a deep CNN that takes seconds, which neither a short training on a CPU nor
    a single call earns back.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
