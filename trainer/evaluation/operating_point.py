"""The operating point: from which probability on COVID is predicted. Chosen on validation."""

import numpy as np
from sklearn.metrics import roc_curve

from trainer.errors import TrainingError
from trainer.evaluation.metrics import Labels, Probabilities, is_positive, positive


def choose_operating_point(
    probabilities: Probabilities, labels: Labels, *, min_sensitivity: float | None = None
) -> float:
    """Choose the point of the ROC curve.

    Without ``min_sensitivity`` where sensitivity plus specificity is highest (Youden 1950); with it
    where specificity is highest among the points that are at least as sensitive.

    Args:
        probabilities: float ``[N, 2]``, of validation.
        labels: int64 ``[N]``, of both classes.
        min_sensitivity: 0 to 1.

    Raises:
        TrainingError: no point short of calling every image COVID is that sensitive.
    """
    score = positive(probabilities)
    false_alarms, found, thresholds = roc_curve(is_positive(labels), score, drop_intermediate=False)
    # The first point predicts nothing.
    false_alarms, found, thresholds = false_alarms[1:], found[1:], thresholds[1:]
    if min_sensitivity is None:
        index = int(np.argmax(found - false_alarms))
    else:
        index = int(np.argmax(found >= min_sensitivity))
        if false_alarms[index] == 1:
            raise TrainingError(
                f"no operating point has a sensitivity of {min_sensitivity:.1%} in validation and"
                " clears any image; choose a lower --min-sensitivity"
            )
    # Half way to the next score, so that the point does not hang on one image's last digit.
    below = score[score < thresholds[index]]
    next_score = float(below.max()) if below.size else 0.0
    return (float(thresholds[index]) + next_score) / 2
