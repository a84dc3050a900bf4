"""Chooses the operating point: the probability from which COVID is predicted."""

import numpy as np
from sklearn.metrics import roc_curve

from trainer.errors import TrainingError
from trainer.evaluation.metrics import Labels, Probabilities, is_positive, positive


def choose_operating_point(
    probabilities: Probabilities, labels: Labels, *, min_sensitivity: float | None = None
) -> float:
    """Choose a point of the ROC curve.

    Without ``min_sensitivity``, the one with the highest sum of sensitivity and specificity (Youden
    1950). With it, the one with the highest specificity among points of at least that sensitivity.

    Args:
        probabilities: float ``[N, 2]``, of the validation set.
        labels: int64 ``[N]``, of both classes.
        min_sensitivity: 0 to 1.

    Raises:
        TrainingError: only calling every image COVID reaches that sensitivity.
    """
    score = positive(probabilities)
    false_alarms, found, thresholds = roc_curve(is_positive(labels), score, drop_intermediate=False)
    # The first point predicts no positives.
    false_alarms, found, thresholds = false_alarms[1:], found[1:], thresholds[1:]
    if min_sensitivity is None:
        index = int(np.argmax(found - false_alarms))
    else:
        index = int(np.argmax(found >= min_sensitivity))
        if false_alarms[index] == 1:
            raise TrainingError(
                f"no operating point reaches a sensitivity of {min_sensitivity:.1%} in validation"
                " without calling every image COVID; choose a lower --min-sensitivity"
            )
    # Half way to the next score, so that rounding of one image's score cannot change the result.
    below = score[score < thresholds[index]]
    next_score = float(below.max()) if below.size else 0.0
    return (float(thresholds[index]) + next_score) / 2
