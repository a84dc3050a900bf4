"""Checks whether the models' input looks like an image that was read correctly.

A wrong window, a wrong bit depth or bytes that are not pixels still give a picture, and the models
a verdict on it. The limits were set so that none of 3,300 real slices and radiographs exceeds them
(``docs/decisions/0011-dicom.md``). Such images are marked for review, not rejected.
"""

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LEVELS: Final = 256
_NEARLY: Final = 2
"""The distance from black or white, in levels."""
_MAX_SATURATED: Final = 0.75
"""As a share of the pixels; real images have at most 0.73, a head in a narrow window."""
_MIN_LEVELS: Final = 80
"""Of 256 levels; real images have at least 113."""
_DARK_PART: Final = 0.01
_MIN_BRIGHT: Final = 0.35
"""For the 99th percentile; real images have at least 0.46."""
_MAX_DARK: Final = 0.6
"""For the 1st percentile; real images have at most 0.48."""
_MIN_LIKENESS: Final = 0.5
"""The correlation of neighbouring pixels; real images have at least 0.78."""


class Oddity(StrEnum):
    """Signs that an image was read incorrectly."""

    SATURATED = "saturated"
    """Most of it is black or white."""
    FEW_GREY_LEVELS = "few_grey_levels"
    TOO_DARK = "too_dark"
    """Nothing in it is bright."""
    TOO_BRIGHT = "too_bright"
    """Nothing in it is dark."""
    NOISE = "noise"
    """Neighbouring pixels are hardly correlated."""


def oddities(tensor: NDArray[np.float32]) -> list[Oddity]:
    """The signs in a model's input; empty for an image that was read correctly.

    Args:
        tensor: float32 ``[64, 64, 3]`` RGB, 0 to 1.
    """
    grey = tensor.mean(axis=-1)
    levels = np.rint(grey * (_LEVELS - 1)).astype(np.uint8)
    counts = np.bincount(levels.ravel(), minlength=_LEVELS)
    up_to = np.cumsum(counts) / grey.size
    dark, bright = np.searchsorted(up_to, (_DARK_PART, 1 - _DARK_PART)) / (_LEVELS - 1)
    saturated = counts[: _NEARLY + 1].sum() + counts[-1 - _NEARLY :].sum()
    found = {
        Oddity.SATURATED: saturated > _MAX_SATURATED * grey.size,
        Oddity.FEW_GREY_LEVELS: np.count_nonzero(counts) < _MIN_LEVELS,
        Oddity.TOO_DARK: bright < _MIN_BRIGHT,
        Oddity.TOO_BRIGHT: dark > _MAX_DARK,
        Oddity.NOISE: _likeness(grey) < _MIN_LIKENESS,
    }
    return [oddity for oddity, is_found in found.items() if is_found]


def _likeness(grey: NDArray[np.float32]) -> float:
    """The correlation of each pixel with those to its right and below; 1 for a uniform image."""
    centred = grey - grey.mean()
    power = float((centred * centred).mean())
    if power <= np.finfo(np.float32).eps:
        return 1.0
    beside = float((centred[:, 1:] * centred[:, :-1]).mean())
    below = float((centred[1:] * centred[:-1]).mean())
    return min(beside, below) / power
