"""How good a model is, in inference mode."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from serving.contract import DEFAULT_OPERATING_POINT, POSITIVE_CLASS_INDEX
from trainer.dataset import LabelledImages

_BATCH_SIZE = 64


def predict(model: keras.Model, data: LabelledImages) -> NDArray[np.float32]:
    """Probabilities float32 ``[N, 2]``, in inference mode."""
    # Called and not model.predict: tracing a graph takes longer than a few batches without one.
    return np.concatenate(
        [
            np.asarray(model(data.images[start : start + _BATCH_SIZE], training=False))
            for start in range(0, len(data), _BATCH_SIZE)
        ]
    )


def metrics(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    operating_point: float = DEFAULT_OPERATING_POINT,
) -> dict[str, float]:
    """Accuracy, sensitivity, specificity and AUROC, with COVID as the positive class.

    Args:
        probabilities: float32 ``[N, 2]``.
        labels: int64 ``[N]``, of both classes.
        operating_point: the probability from which on COVID is predicted.
    """
    score = probabilities[:, POSITIVE_CLASS_INDEX]
    truth, predicted = labels == POSITIVE_CLASS_INDEX, score >= operating_point
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "sensitivity": float(recall_score(truth, predicted)),
        "specificity": float(recall_score(truth, predicted, pos_label=False)),
        "auroc": float(roc_auc_score(truth, score)),
    }


def soft_vote(probabilities: list[NDArray[np.float32]]) -> NDArray[Any]:
    """The ensemble's probabilities: the mean of the models'."""
    mean: NDArray[Any] = np.mean(probabilities, axis=0)
    return mean
