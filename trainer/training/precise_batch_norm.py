"""Precise batch normalisation: recomputes the moving averages.

Inference normalises by moving averages over training. If the weights change fast, above all in
short trainings, the averages describe the network of some steps ago, and inference is far worse
than training ("precise batch normalisation", Wu and Johnson 2021, arXiv 2105.07576). Dropout, which
is off in inference, also affects these averages (Li et al. 2018, arXiv 1801.05134).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

MAX_IMAGES: Final = 128


def estimate_batch_norm(model: keras.Model, images: NDArray[np.float32]) -> None:
    """Set every moving average to the statistics of these images under the current weights.

    Args:
        model: the model. Its weights stay the same.
        images: float32 ``[N, 64, 64, 3]`` from training; one batch, so a few hundred at most.
    """
    with _without_momentum_and_dropout(model):
        model(images, training=True)


class PreciseBatchNorm(keras.callbacks.Callback):  # type: ignore[misc]
    """Recomputes the averages before each validation, so that epochs are compared fairly.

    Args:
        images: float32 ``[N, 64, 64, 3]`` from training. ``MAX_IMAGES`` are drawn from them.
        seed: the random seed of the draw.
    """

    def __init__(self, images: NDArray[np.float32], *, seed: int) -> None:
        super().__init__()
        order = np.random.default_rng(seed).permutation(len(images))
        self._images = images[order[:MAX_IMAGES]]

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Recompute the moving averages."""
        estimate_batch_norm(self.model, self._images)


@contextmanager
def _without_momentum_and_dropout(model: keras.Model) -> Iterator[None]:
    normalisations = [
        (layer, layer.momentum)
        for layer in model.layers
        if isinstance(layer, layers.BatchNormalization)
    ]
    dropouts = [(layer, layer.rate) for layer in model.layers if isinstance(layer, layers.Dropout)]
    for layer, _ in normalisations:
        layer.momentum = 0.0
    for layer, _ in dropouts:
        layer.rate = 0.0
    try:
        yield
    finally:
        for layer, momentum in normalisations:
            layer.momentum = momentum
        for layer, rate in dropouts:
            layer.rate = rate
