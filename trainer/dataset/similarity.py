"""Finds nearly equal images by perceptual hashes."""

from typing import Final

import numpy as np
from imagehash import phash
from numpy.typing import NDArray
from PIL import Image

from trainer.dataset.images import LabelledImages

NEAR_DUPLICATE_BITS: Final = 4
"""Near duplicates differ in at most this many of the 64 bits of a perceptual hash."""

_ROWS_AT_ONCE: Final = 1024


def perceptual_hashes(data: LabelledImages) -> NDArray[np.bool_]:
    """Return a hash of each image, bool ``[N, 64]``."""
    grey = (data.images.mean(axis=-1) * 255).round().astype(np.uint8)
    return np.stack([phash(Image.fromarray(image)).hash.ravel() for image in grey])


def close_pairs(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return pairs of indices into ``one`` and ``other`` of near duplicates."""
    pairs: list[tuple[int, int]] = []
    signs = (other * 2.0 - 1).T
    for start in range(0, len(one), _ROWS_AT_ONCE):
        # Bits as +1 and -1: the scalar product of two hashes is 64 minus twice the differing bits.
        products = (one[start : start + _ROWS_AT_ONCE] * 2.0 - 1) @ signs
        differing = (one.shape[1] - products) / 2
        found = np.argwhere(differing <= NEAR_DUPLICATE_BITS)
        pairs += [(start + int(i), int(j)) for i, j in found]
    return pairs
