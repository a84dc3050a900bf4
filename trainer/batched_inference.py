"""Inference in batches that fit into memory."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_BATCH_SIZE: Final = 64


def infer_in_batches(
    infer: Callable[[NDArray[np.float32]], Any], images: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Ask for images, float32 ``[N, 64, 64, 3]``, a batch at a time.

    Returns:
        The outputs of all images, float32 with N rows.
    """
    return np.concatenate(
        [
            np.asarray(infer(images[start : start + _BATCH_SIZE]), np.float32)
            for start in range(0, len(images), _BATCH_SIZE)
        ]
    )
