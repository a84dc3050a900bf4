"""What loading a model needed for a moment is the operating system's again afterwards."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from serving.freed_memory import return_freed_memory

PIECE_BYTES = 64 * 1024
PIECES = 1024
PAGE_BYTES = 4096


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library keeps nothing back"
)
def test_freed_memory_between_what_is_still_in_use_is_returned():
    pieces = [np.ones(PIECE_BYTES, np.uint8) for _ in range(PIECES)]
    # The heap's top stays in use, so that the process keeps what is freed below it.
    kept = pieces[-1]
    del pieces
    before = resident_bytes()
    return_freed_memory()
    assert resident_bytes() < before - PIECE_BYTES * PIECES / 2
    assert kept.all()
