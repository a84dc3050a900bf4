"""Saliency by perturbation: hide parts of the image, and see what the models then say.

It needs nothing of a model but its probabilities, so every model server computes it.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Masks = NDArray[np.float32]
"""``[K, height, width]``, how much of each pixel is hidden, 0 to 1."""


def random_masks(size: int, *, count: int, cells: int, seed: int) -> Masks:
    """Masks that hide each of some cells at random, half of them, with soft edges (RISE).

    After Petsiuk et al. 2018, arXiv 1806.07421. Every second mask hides what the one before it
    shows, so that each pixel is hidden as much as it is shown.

    Args:
        size: height and width of the image.
        count: how many; even.
        cells: along each side.
        seed: the same gives the same.
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
    """What stands in a hidden place: of each pixel the darkest near it (grey erosion).

    So lung stays lung, and what is bright in it goes. A blurred or grey place would look like the
    very opacity that the models look for, and a black one has edges that are in no image.

    Args:
        image: float32 ``[height, width, 3]``.
        side: of the square that is near, in pixels.
    """
    return np.asarray(cv2.erode(image, np.ones((side, side), np.uint8)), np.float32)


def perturbed(
    image: NDArray[np.float32], mask: NDArray[np.float32], hidden: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The image with what stands in hidden places, as far as the mask ``[height, width]`` says."""
    weights = mask[..., None]
    return image * (1 - weights) + hidden * weights


def relevance(masks: Masks, probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much more probable the class is where a place is shown than where it is hidden.

    Args:
        masks: what was hidden.
        probabilities: what was said then, ``[K]``.

    Returns:
        ``[height, width]``, -1 to 1: above zero a place speaks for the class, below against it.
    """
    shown = 1 - masks
    with_it = np.tensordot(probabilities, shown, 1) / shown.sum(axis=0)
    without = np.tensordot(probabilities, masks, 1) / masks.sum(axis=0)
    return np.asarray(with_it - without, np.float64)
