"""Preprocessing: turns pixels into a model's input, for training and serving alike.

A change here or in ``imaging.decode`` changes every prediction of every published model, so tests
compare the results with recorded values, bit by bit (``tests/unit/imaging/test_preprocess.py``,
``tests/unit/imaging/dicom/test_rendering.py``).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.model_input import IMAGE_SIZE


def preprocess(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert an image to a model's input.

    Args:
        pixels: uint8 ``[height, width, 3]`` RGB.

    Returns:
        float32 ``[64, 64, 3]`` RGB, 0 to 1.
    """
    resized = cv2.resize(pixels, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    scaled: NDArray[np.float32] = resized.astype(np.float32) / np.float32(255)
    return scaled
