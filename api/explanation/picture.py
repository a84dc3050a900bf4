"""Saliency as pictures: red marks evidence for COVID-19, blue evidence against it."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_FOR: Final = (214, 39, 40)
_AGAINST: Final = (31, 119, 180)
_MAX_OPACITY: Final = 0.75
"""The opacity at the map's scale; the image stays visible below it."""


def heatmap(
    values: NDArray[np.float64], *, scale: float, width: int, height: int
) -> NDArray[np.uint8]:
    """Draw a map as an overlay for an image.

    Args:
        values: of the map, at any size.
        scale: the absolute value at which the colour is strongest.
        width: of the image, in pixels.
        height: of the image, in pixels.

    Returns:
        uint8 ``[height, width, 4]`` RGBA, transparent where the map is zero.
    """
    smooth = cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC)
    strength = np.clip(np.abs(smooth) / scale, 0, 1)
    colours = np.where(smooth[..., None] >= 0, _FOR, _AGAINST).astype(np.uint8)
    alpha = np.rint(255 * _MAX_OPACITY * strength).astype(np.uint8)
    return np.concatenate([colours, alpha[..., None]], axis=2)


def overlaid(picture: NDArray[np.uint8], rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw an RGBA overlay on an RGB picture of the same size."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    blended: NDArray[np.float32] = picture * (1 - alpha) + rgba[..., :3] * alpha
    return np.rint(blended).astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode RGB or RGBA pixels as a PNG file."""
    to_opencv = cv2.COLOR_RGB2BGR if pixels.shape[2] == len(_FOR) else cv2.COLOR_RGBA2BGRA
    return cv2.imencode(".png", cv2.cvtColor(pixels, to_opencv))[1].tobytes()
