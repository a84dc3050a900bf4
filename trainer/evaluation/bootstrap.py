"""Confidence intervals of metrics by the bootstrap (Efron and Tibshirani 1993)."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.contract import CLASS_NAMES, DEFAULT_OPERATING_POINT
from trainer.evaluation.metrics import Labels, Probabilities, Weights, measure, measure_weighted

DEFAULT_RESAMPLES: Final = 1000
_PERCENTILES: Final = (2.5, 97.5)
_MAX_WEIGHTS: Final = 1 << 22
"""Number of weights in memory at once."""


@dataclass(frozen=True)
class Estimate:
    """A metric's value, and the interval that contains it in 95 of 100 such test sets."""

    value: float
    low: float
    high: float


def measure_with_intervals(
    probabilities: Probabilities,
    labels: Labels,
    operating_point: float = DEFAULT_OPERATING_POINT,
    *,
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
    resamples: int = DEFAULT_RESAMPLES,
) -> dict[str, Estimate]:
    """Measure all metrics, with percentile intervals.

    Slices of one patient are not independent. With ``groups``, whole patients are drawn, so the
    intervals are as wide as they should be. Without it, images are drawn within each class, and the
    intervals are too narrow if patients have several images.

    Args:
        probabilities: float ``[N, 2]``.
        labels: int64 ``[N]``, of both classes.
        operating_point: the probability from which COVID is predicted.
        groups: int64 ``[N]``, the patient of each image.
        seed: the random seed of the draws.
        resamples: the number of test sets drawn.
    """
    rng = np.random.default_rng(seed)
    draws = _draw_images(labels, rng) if groups is None else _draw_groups(labels, groups, rng)
    at_once = max(1, _MAX_WEIGHTS // len(labels))
    drawn = []
    for start in range(0, resamples, at_once):
        weights = np.stack(list(itertools.islice(draws, min(at_once, resamples - start))))
        drawn.append(measure_weighted(probabilities, labels, weights, operating_point))
    estimates = {}
    for name, value in measure(probabilities, labels, operating_point).items():
        low, high = np.percentile(np.concatenate([each[name] for each in drawn]), _PERCENTILES)
        estimates[name] = Estimate(value, float(low), float(high))
    return estimates


def _draw_images(labels: Labels, rng: np.random.Generator) -> Iterator[Weights]:
    """Yield how often each image is in a resampled test set with the same class counts."""
    members = [np.flatnonzero(labels == label) for label in range(len(CLASS_NAMES))]
    while True:
        drawn = np.concatenate([rng.choice(each, len(each)) for each in members])
        yield np.bincount(drawn, minlength=len(labels)).astype(np.float64)


def _draw_groups(
    labels: Labels, groups: NDArray[np.int64], rng: np.random.Generator
) -> Iterator[Weights]:
    """Yield how often each image is in a resampled test set with the same number of patients."""
    patients, patient_of = np.unique(groups, return_inverse=True)
    while True:
        drawn = rng.integers(len(patients), size=len(patients))
        weights = np.bincount(drawn, minlength=len(patients))[patient_of].astype(np.float64)
        # With only one class, most metrics are undefined.
        if len(np.unique(labels[weights > 0])) == len(CLASS_NAMES):
            yield weights
