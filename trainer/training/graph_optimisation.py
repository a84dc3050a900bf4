"""TensorFlow's graph optimiser, switched off where it costs more than it gains."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf


@contextmanager
def without_graph_optimisation() -> Iterator[None]:
    """Run the functions that are called first in here as they were traced.

    The optimiser (Grappler) copies and rewrites each function before its first call, weights that
    are constants included: seconds for a deep CNN, which neither a short training on a CPU nor a
    single call earns back.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
