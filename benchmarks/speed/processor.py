"""Measures the processor: multiplication of 32-bit matrices."""

import time
from typing import Final

import numpy as np

IMAGE_GFLOP: Final = 3.87
"""Work of the three CNNs together for one image (docs/decisions/0002)."""

_SIDE: Final = 2048
_ROUNDS: Final = 9


def sgemm_gflops() -> float:
    """Return the median of a few products of two square matrices, in GFLOP/s."""
    matrix = np.random.default_rng(0).random((_SIDE, _SIDE), np.float32)
    seconds = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - started)
    return 2 * _SIDE**3 / float(np.median(seconds)) / 1e9
