"""Freed memory is returned to the operating system."""

import asyncio
import ctypes
from pathlib import Path

import numpy as np
import pytest

from system import freed_memory

MIB = 1024 * 1024
PIECE_BYTES = 64 * 1024
PIECES = 1024
PAGE_BYTES = 4096


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library has no malloc_trim"
)
def test_freed_memory_below_memory_in_use_is_returned():
    pieces = [np.ones(PIECE_BYTES, np.uint8) for _ in range(PIECES)]
    # While the top of the heap is in use, glibc does not return freed memory below it.
    kept = pieces[-1]
    del pieces
    before = resident_bytes()
    freed_memory.return_freed_memory()
    assert resident_bytes() < before - PIECE_BYTES * PIECES / 2
    assert kept.all()


async def test_memory_is_returned_once_64_mib_more_have_become_free(
    monkeypatch: pytest.MonkeyPatch,
):
    # MiB free at the start, at each poll and after each return.
    free_mib = iter([100, 120, 163, 164, 164, 164, 80, 143, 144, 144, 144])
    returns = 0
    done = asyncio.Event()

    def free() -> int:
        value = next(free_mib, None)
        if value is None:
            done.set()
            return 0
        return value * MIB

    def return_memory() -> None:
        nonlocal returns
        returns += 1

    monkeypatch.setattr(freed_memory, "_POLL_SECONDS", 0)
    returning = asyncio.create_task(freed_memory.keep_returning_freed_memory(free, return_memory))
    await asyncio.wait_for(done.wait(), 30)
    returning.cancel()
    assert returns == 2


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="not glibc 2.33 or later")
def test_free_bytes_grow_when_memory_is_freed():
    pieces = [np.ones(64 * 1024, np.uint8) for _ in range(1024)]
    kept = pieces[::16]
    before = freed_memory.free_bytes()
    del pieces
    assert freed_memory.free_bytes() - before > 32 * MIB
    assert kept
