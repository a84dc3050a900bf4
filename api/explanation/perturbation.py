"""Saliency by perturbation: hides parts of the image and compares the models' results.

It only needs probabilities, so it works with every model server.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Masks = NDArray[np.float32]
"""``[K, height, width]``: how much of each pixel is hidden, 0 to 1."""


def random_masks(size: int, *, count: int, cells: int, seed: int) -> Masks:
    """Random masks that hide about half of the cells of a grid, with soft edges (RISE).

    Based on Petsiuk et al. 2018, arXiv 1806.07421. Every second mask is the inverse of the one
    before it, so that each pixel is hidden as often as it is shown.

    Args:
        size: height and width of the image.
        count: the number of masks; even.
        cells: per side of the grid.
        seed: the same seed gives the same masks.
    """
    rng = np.random.default_rng(seed)
    cell = -(-size // cells)
    masks = np.empty((count, size, size), np.float32)
    for number in range(0, count, 2):
        hidden = rng.integers(0, 2, (cells + 1, cells + 1)).astype(np.float32)
        smooth = cv2.resize(hidden, [(cells + 1) * cell] * 2, interpolation=cv2.INTER_LINEAR)
        top, left = rng.integers(0, cell, 2)
        masks[number] = smooth[top : top + size, left : left + size]
        masks[number + 1] = 1 - masks[number]
    return masks


def darkened(image: NDArray[np.float32], *, side: int) -> NDArray[np.float32]:
    """The replacement for hidden pixels: the darkest pixel near each one (grey erosion).

    This keeps lung tissue and removes bright structures in it. A blurred or grey area would look
    like the opacities that the models look for, and a black one would have edges that no real image
    has.

    Args:
        image: float32 ``[height, width, 3]``.
        side: of the square around each pixel, in pixels.
    """
    return np.asarray(cv2.erode(image, np.ones((side, side), np.uint8)), np.float32)


def perturbed(
    image: NDArray[np.float32], mask: NDArray[np.float32], hidden: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Blend the image with ``hidden``, weighted by the mask ``[height, width]``."""
    weights = mask[..., None]
    return image * (1 - weights) + hidden * weights


def relevance(masks: Masks, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much more probable the class is with a pixel shown than with it hidden.

    Args:
        masks: of the hidden pixels.
        probabilities: the model's probability of the class under each mask, ``[K]``.

    Returns:
        ``[height, width]``, -1 to 1: above zero a pixel is evidence for the class, below zero
        evidence against it.
    """
    shown = 1 - masks
    with_it = np.tensordot(probabilities, shown, 1) / shown.sum(axis=0)
    without = np.tensordot(probabilities, masks, 1) / masks.sum(axis=0)
    return np.asarray(with_it - without, np.float64)
