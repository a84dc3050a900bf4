"""Test-time augmentation: plausible variations of the same image."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_SEED: Final = 0
_ROTATION_DEGREES: Final = 5.0
_SHIFT: Final = 0.04
"""As a share of the side."""
_ZOOM: Final = 0.05
_GAMMA: Final = 0.1
"""Exponents are between ``exp(-0.1)`` and ``exp(0.1)``, like another window or another display."""


def varied(image: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Rotate, shift and scale an image slightly, and make it brighter or darker.

    The changes are smaller than in training, and always the same. Images are never mirrored,
    because the heart is on one side.

    Args:
        image: float32 ``[height, width, 3]``, 0 to 1.
        count: the number of variants.

    Returns:
        float32 ``[count, height, width, 3]``, 0 to 1.
    """
    draws = np.random.default_rng(_SEED).uniform(-1, 1, (count, 5))
    height, width = image.shape[:2]
    made = np.empty((count, *image.shape), np.float32)
    for variant, (turn, right, down, zoom, gamma) in zip(made, draws, strict=True):
        matrix = cv2.getRotationMatrix2D(
            (width / 2, height / 2), _ROTATION_DEGREES * turn, 1 + _ZOOM * zoom
        )
        shift = np.array([[0, 0, _SHIFT * width * right], [0, 0, _SHIFT * height * down]])
        moved = cv2.warpAffine(
            image, matrix + shift, (width, height), borderMode=cv2.BORDER_REPLICATE
        )
        variant[:] = moved ** np.exp(_GAMMA * gamma)
    return made
