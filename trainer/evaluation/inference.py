"""Runs a Keras model in inference mode."""

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.batched_inference import infer_in_batches
from trainer.dataset.images import LabelledImages


def predict(model: keras.Model, data: LabelledImages) -> NDArray[np.float32]:
    """Return probabilities, float32 ``[N, 2]``."""
    # Not model.predict: tracing a graph takes longer than a few eager batches.
    return infer_in_batches(lambda images: model(images, training=False), data.images)
