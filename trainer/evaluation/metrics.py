"""Metrics of predicted probabilities, with COVID as the positive class."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.contract import DEFAULT_OPERATING_POINT, POSITIVE_CLASS_INDEX

CALIBRATION_BINS: Final = 10

Probabilities = NDArray[np.floating[Any]]
"""Float ``[N, 2]``. Rows sum to one."""

Labels = NDArray[np.int64]
"""int64 ``[N]``."""

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Confusion:
    """Counts at an operating point."""

    true_positives: int
    false_negatives: int
    false_positives: int
    true_negatives: int


def measure(
    probabilities: Probabilities,
    labels: Labels,
    operating_point: float = DEFAULT_OPERATING_POINT,
) -> dict[str, float]:
    """Return every binary classification metric of the reports.

    ``accuracy``, ``balanced_accuracy``, ``sensitivity``, ``specificity`` and ``f1`` depend on the
    operating point; ``auroc``, ``average_precision``, ``brier`` and ``ece`` do not.

    Args:
        probabilities: float ``[N, 2]``.
        labels: int64 ``[N]``, of both classes.
        operating_point: the probability from which COVID is predicted.
    """
    once = np.ones((1, len(labels)))
    measured = measure_weighted(probabilities, labels, once, operating_point)
    return {name: float(values[0]) for name, values in measured.items()}


def measure_weighted(
    probabilities: Probabilities, labels: Labels, weights: Weights, operating_point: float
) -> dict[str, Weights]:
    """Measure many resampled test sets at once.

    Args:
        probabilities: float ``[N, 2]``.
        labels: int64 ``[N]``.
        weights: float ``[R, N]``, how often each test set contains each image. Every row has images
            of both classes.
        operating_point: the probability from which COVID is predicted.

    Returns:
        For each metric one value per row, float ``[R]``.
    """
    score, truth = positive(probabilities).astype(np.float64), is_positive(labels)
    predicted = score >= operating_point
    total, positives = weights.sum(axis=1), weights @ truth
    true_positives, true_negatives = weights @ (predicted & truth), weights @ ~(predicted | truth)
    sensitivity, specificity = true_positives / positives, true_negatives / (total - positives)
    errors = total - true_positives - true_negatives
    auroc, average_precision = _areas(score, truth, weights)
    return {
        "accuracy": 1 - errors / total,
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "f1": 2 * true_positives / (2 * true_positives + errors),
        "auroc": auroc,
        "average_precision": average_precision,
        "brier": weights @ (score - truth) ** 2 / total,
        "ece": _expected_calibration_error(score, truth, weights),
    }


def confusion(
    probabilities: Probabilities, labels: Labels, operating_point: float = DEFAULT_OPERATING_POINT
) -> Confusion:
    """Count true and false positives and negatives."""
    # In 64 bits as in `measure`: 0.7 in 32 bits is larger than 0.7.
    predicted = positive(probabilities).astype(np.float64) >= operating_point
    truth = is_positive(labels)
    return Confusion(
        true_positives=int(np.sum(predicted & truth)),
        false_negatives=int(np.sum(~predicted & truth)),
        false_positives=int(np.sum(predicted & ~truth)),
        true_negatives=int(np.sum(~predicted & ~truth)),
    )


def positive(probabilities: Probabilities) -> NDArray[np.floating[Any]]:
    """Return the probability of COVID, float ``[N]``."""
    column: NDArray[np.floating[Any]] = probabilities[:, POSITIVE_CLASS_INDEX]
    return column


def is_positive(labels: Labels) -> NDArray[np.bool_]:
    """Return which images show COVID, bool ``[N]``."""
    truth: NDArray[np.bool_] = labels == POSITIVE_CLASS_INDEX
    return truth


def _areas(
    score: NDArray[np.float64], truth: NDArray[np.bool_], weights: Weights
) -> tuple[Weights, Weights]:
    """Return the areas under the ROC and the stepwise precision-recall curves (Fawcett 2006)."""
    order = np.argsort(-score, kind="stable")
    score, truth, weights = score[order], truth[order], weights[:, order]
    # Images with equal scores cross the threshold together.
    together = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    found = np.cumsum(weights * truth, axis=1)[:, together]
    alarmed = np.cumsum(weights * ~truth, axis=1)[:, together]
    found = np.pad(found, ((0, 0), (1, 0)))
    alarmed = np.pad(alarmed, ((0, 0), (1, 0)))
    auroc = np.trapezoid(found, alarmed, axis=1) / (found[:, -1] * alarmed[:, -1])
    precision = found / np.maximum(found + alarmed, np.finfo(np.float64).tiny)
    average_precision = (np.diff(found, axis=1) * precision[:, 1:]).sum(axis=1) / found[:, -1]
    return auroc, average_precision


def _expected_calibration_error(
    score: NDArray[np.float64], truth: NDArray[np.bool_], weights: Weights
) -> Weights:
    """Return the mean distance between the predicted probability of COVID and its frequency.

    Uses ten bins of equal width, weighted by their number of images (Naeini et al. 2015, AAAI; for
    the positive class).
    """
    bins = np.minimum((score * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    surplus = np.eye(CALIBRATION_BINS)[bins] * (score - truth)[:, None]
    error: Weights = np.abs(weights @ surplus).sum(axis=1) / weights.sum(axis=1)
    return error
