"""Temperature scaling: makes confidences match observed frequencies.

A trained CNN's probabilities are too extreme. Dividing its logits by a single number, the
temperature, calibrates them without changing their ranking. The temperature is fitted on images
that the CNN did not learn from (Guo et al. 2017, arXiv 1706.04599).
"""

from typing import Final

import keras
import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from serving.contract import CLASS_NAMES, OUTPUT_NAME
from trainer.evaluation.metrics import Labels, Probabilities

_LOG_TEMPERATURE_BOUNDS: Final = (-3.0, 3.0)
_MIN_PROBABILITY: Final = 1e-12


def fit_temperature(probabilities: Probabilities, labels: Labels) -> float:
    """Return the temperature that maximises the likelihood of the labels.

    Args:
        probabilities: float ``[N, 2]``, of images that the model did not learn from.
        labels: int64 ``[N]``.

    Returns:
        A value between 0.05 and 20; above 1 if the model was overconfident.
    """

    def loss(log_temperature: float) -> float:
        scaled = scale(probabilities, float(np.exp(log_temperature)))
        return float(log_loss(labels, scaled, labels=range(len(CLASS_NAMES))))

    best = minimize_scalar(loss, bounds=_LOG_TEMPERATURE_BOUNDS, method="bounded")
    return float(np.exp(best.x))


def scale(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Return the probabilities after dividing the logits by the temperature, float ``[N, 2]``."""
    logits = np.log(np.clip(probabilities.astype(np.float64), _MIN_PROBABILITY, 1)) / temperature
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: Probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return scaled


def bake_temperature(model: keras.Model, temperature: float) -> None:
    """Divide the classifier's weights by the temperature, which leaves the graph unchanged."""
    classifier = model.get_layer(OUTPUT_NAME)
    for weights in (classifier.kernel, classifier.bias):
        weights.assign(weights / temperature)
