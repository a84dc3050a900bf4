"""Shapes, noise and grey levels that phantoms are drawn with."""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

PHANTOM_SIZE: Final = 256
"""Height and width in pixels."""

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

AIR, LUNG, FAT, SOFT_TISSUE, BONE = 0.04, 0.2, 0.68, 0.82, 1.0


def fill_ellipse(
    image: Image,
    centre: tuple[int, int],
    axes: tuple[int, int],
    value: float,
    angle: float = 0,
) -> None:
    """Fill an ellipse; centre and semi-axes in pixels, the angle in degrees."""
    cv2.ellipse(
        image, (int(centre[0]), int(centre[1])), axes, float(angle), 0, 360, float(value), -1
    )


def depth_in_lung(lung: Mask) -> Image:
    """Return each pixel's depth in its lung: 0 at the pleura, 1 at the deepest point."""
    distance = cv2.distanceTransform(lung.astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(distance / max(float(distance.max()), 1.0), np.float32)


def pick_pixel(rng: np.random.Generator, mask: Mask) -> tuple[int, int]:
    """Return a random pixel of a mask, as x and y."""
    rows, columns = np.nonzero(mask)
    index = int(rng.integers(len(rows)))
    return int(columns[index]), int(rows[index])


def blur(image: NDArray[Any], sigma: float) -> Image:
    """Return an image blurred by a Gaussian, ``sigma`` in pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)


def smooth_noise(rng: np.random.Generator, scale: int, shape: tuple[int, ...]) -> Image:
    """Return noise of about unit variance that varies over ``scale`` pixels."""
    height, width = shape
    noise = rng.standard_normal((height // scale + 1, width // scale + 1), np.float32)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
