"""Finds pictures in more than one class: one of their labels is wrong."""

import logging
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from serving.contract import CLASS_NAMES
from trainer.dataset.images import LabelledImages
from trainer.dataset.similarity import close_pairs, perceptual_hashes
from trainer.errors import DatasetError

logger = logging.getLogger(__name__)

SAME_PICTURE_CORRELATION: Final = 0.98
"""Correlation of grey pixels. Pictures that were only saved again or resized reach 0.99. Among
2,651 slices of two public datasets, no two of different patients exceeded 0.90."""

_MAX_LISTED_PAIRS: Final = 20
_MAX_NAMED_PAIRS: Final = 3


@dataclass(frozen=True)
class Contradictions:
    """Pairs of files of different classes."""

    exact: list[tuple[str, str]]
    """Equal after preprocessing."""
    near: list[tuple[str, str]]
    """Nearly equal: the same picture saved again, or neighbouring slices of one patient."""

    def describe(self) -> dict[str, Any]:
        """Return counts and the first few pairs as JSON values; empty if there are none."""
        if not self.exact and not self.near:
            return {}
        pairs = (self.exact + self.near)[:_MAX_LISTED_PAIRS]
        return {
            "contradictions": {
                "exact": len(self.exact),
                "near": len(self.near),
                "pairs": [list(pair) for pair in pairs],
            }
        }


def find_contradictions(data: LabelledImages) -> Contradictions:
    """Find pictures that are in more than one class."""
    digests = data.digests()
    hashes = perceptual_hashes(data)
    exact, near = [], []
    for one, other in combinations(range(len(CLASS_NAMES)), 2):
        first, second = np.flatnonzero(data.labels == one), np.flatnonzero(data.labels == other)
        for i, j in close_pairs(hashes[first], hashes[second]):
            left, right = int(first[i]), int(second[j])
            pair = data.files[left], data.files[right]
            if digests[left] == digests[right]:
                exact.append(pair)
            elif _correlation(data, left, right) >= SAME_PICTURE_CORRELATION:
                near.append(pair)
    return Contradictions(exact, near)


def reject_contradictions(found: Contradictions) -> None:
    """Warn about nearly equal pictures, and reject equal ones.

    Raises:
        DatasetError: a picture is in two classes.
    """
    warn_of_contradictions(Contradictions([], found.near))
    if found.exact:
        raise DatasetError(
            f"the same picture is in two classes: {_named(found.exact)};"
            " remove it from the class that it does not belong to"
        )


def warn_of_contradictions(found: Contradictions) -> None:
    """Log the pairs as warnings."""
    for kind, pairs in (("equal", found.exact), ("nearly equal", found.near)):
        if pairs:
            logger.warning(
                "%d pairs of %s images have different classes: %s", len(pairs), kind, _named(pairs)
            )


def _named(pairs: list[tuple[str, str]]) -> str:
    named = ", ".join(f"{one} and {other}" for one, other in pairs[:_MAX_NAMED_PAIRS])
    more = len(pairs) - _MAX_NAMED_PAIRS
    return f"{named}, and {more} more pairs" if more > 0 else named


def _correlation(data: LabelledImages, one: int, other: int) -> float:
    """Return the correlation of grey pixels, -1 to 1; 0 if an image has only one grey level."""
    grey = data.images[[one, other]].mean(axis=-1).reshape(2, -1).astype(np.float64)
    grey -= grey.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(grey, axis=1)
    return float(grey[0] @ grey[1] / norms.prod()) if norms.all() else 0.0
