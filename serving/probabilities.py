"""Probabilities of the classes: what a valid answer is, and the mean of several."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", float, NDArray[Any])

_TOLERANCE: Final = 1e-2
"""bfloat16 rounds probabilities to about three digits."""


def are_distributions(rows: NDArray[np.floating[Any]]) -> bool:
    """Whether each row of ``[N, classes]`` holds probabilities that sum to one."""
    # A NaN fails each comparison.
    in_range = (rows >= -_TOLERANCE) & (rows <= 1 + _TOLERANCE)
    return bool(in_range.all() and (np.abs(rows.sum(axis=1) - 1) <= _TOLERANCE).all())


def soft_vote(answers: Sequence[T]) -> T:
    """The probability of the ensemble: the mean over its models.

    Args:
        answers: of each model; numbers, or arrays of one shape. At least one.
    """
    total = answers[0]
    for each in answers[1:]:
        total = total + each
    return total / len(answers)
