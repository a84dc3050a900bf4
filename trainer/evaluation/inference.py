"""Runs a Keras model in inference mode."""

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.dataset.images import LabelledImages

_BATCH_SIZE = 64


def predict(model: keras.Model, data: LabelledImages) -> NDArray[np.float32]:
    """Return probabilities, float32 ``[N, 2]``."""
    # Not model.predict: tracing a graph takes longer than a few eager batches.
    return np.concatenate(
        [
            np.asarray(model(data.images[start : start + _BATCH_SIZE], training=False))
            for start in range(0, len(data), _BATCH_SIZE)
        ]
    )
