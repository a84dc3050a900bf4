"""What a model answers, in inference mode."""

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.batched import infer_in_batches
from trainer.dataset.images import LabelledImages


def predict(model: keras.Model, data: LabelledImages) -> NDArray[np.float32]:
    """Probabilities float32 ``[N, 2]``, in inference mode."""
    # Called and not model.predict: tracing a graph takes longer than a few batches without one.
    return infer_in_batches(lambda images: model(images, training=False), data.images)
