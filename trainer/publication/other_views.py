"""Training images as another workstation would show them: the same slices, still chest images.

A distance that is fitted to one hospital's screenshots alone finds every other hospital's too far.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]

_SEED: Final = 0
_WINDOW: Final = 0.15
"""By how much of the range black and white are moved."""
_GAMMA: Final = 0.3
"""Powers are between ``exp(-0.3)`` and ``exp(0.3)``."""
_SMALLEST_BODY: Final = 0.8
"""Of its size in the training image, where the field of view is wider."""
_TURN_DEGREES: Final = 5.0
_SHIFT: Final = 0.03
"""Of the side."""
_BRIGHTEST_AIR: Final = 0.15


def other_windows(images: Images) -> Images:
    """Each image through another window and display, float32 ``[N, 64, 64, 3]``, 0 to 1."""
    rng = np.random.default_rng(_SEED)
    return np.stack([_through_another_window(image, rng) for image in images])


def wider_fields(images: Images) -> Images:
    """Every second image smaller, with air round it, and through another window."""
    rng = np.random.default_rng(_SEED)
    return np.stack(
        [_through_another_window(_further_away(image, rng), rng) for image in images[::2]]
    )


def _through_another_window(image: Images, rng: np.random.Generator) -> Images:
    black, white = rng.uniform(-_WINDOW, _WINDOW, 2) + np.array([0, 1])
    levels = np.clip((image - black) / (white - black), 0, 1)
    shown: Images = (levels ** np.exp(rng.uniform(-_GAMMA, _GAMMA))).astype(np.float32)
    return shown


def _further_away(image: Images, rng: np.random.Generator) -> Images:
    height, width = image.shape[:2]
    turn = rng.uniform(-_TURN_DEGREES, _TURN_DEGREES)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, rng.uniform(_SMALLEST_BODY, 1))
    shift = np.zeros((2, 3))
    shift[:, 2] = rng.uniform(-_SHIFT, _SHIFT, 2) * np.array([width, height])
    air = [rng.uniform(0, _BRIGHTEST_AIR)] * 3
    moved = cv2.warpAffine(
        image, matrix + shift, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=air
    )
    return np.asarray(moved, np.float32)
