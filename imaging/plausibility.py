"""Whether what the models get of an image looks like a picture that was read right.

A wrong window, a wrong bit depth or bytes that are no pixels give a picture all the same, and
models give a verdict on it. The limits are beyond every one of 3,300 real slices and radiographs,
and were set on them (``docs/decisions/0011-dicom.md``). They mark, they do not refuse.
"""

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LEVELS: Final = 256
_NEARLY: Final = 2
"""So many levels from black or white."""
_MAX_SATURATED: Final = 0.75
"""Of the pixels; real ones have 0.73 at most, a head in a narrow window."""
_MIN_LEVELS: Final = 80
"""Of 256; real ones have 113 and more."""
_DARK_PART: Final = 0.01
_MIN_BRIGHT: Final = 0.35
"""What the brightest hundredth reaches; 0.46 and more in real ones."""
_MAX_DARK: Final = 0.6
"""What the darkest hundredth reaches; 0.48 and less in real ones."""
_MIN_LIKENESS: Final = 0.5
"""The correlation of neighbouring pixels; 0.78 and more in real ones."""


class Oddity(StrEnum):
    """What is odd about a picture."""

    SATURATED = "saturated"
    """Most of it is black or white."""
    FEW_GREY_LEVELS = "few_grey_levels"
    TOO_DARK = "too_dark"
    """Nothing in it is bright."""
    TOO_BRIGHT = "too_bright"
    """Nothing in it is dark."""
    NOISE = "noise"
    """Neighbouring pixels have nothing to do with each other."""


def oddities(tensor: NDArray[np.float32]) -> list[Oddity]:
    """What is odd about a model's input; nothing of a picture that was read right.

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
        Oddity.NOISE: likeness(grey) < _MIN_LIKENESS,
    }
    return [oddity for oddity, is_found in found.items() if is_found]


def likeness(grey: NDArray[np.float32]) -> float:
    """The correlation of each pixel with those to its right and below; one of a single grey."""
    centred = grey - grey.mean()
    power = float((centred * centred).mean())
    if power <= np.finfo(np.float32).eps:
        return 1.0
    beside = float((centred[:, 1:] * centred[:, :-1]).mean())
    below = float((centred[1:] * centred[:-1]).mean())
    return min(beside, below) / power
