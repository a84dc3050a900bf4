"""Freed memory is returned to the operating system."""

import asyncio
import ctypes
from pathlib import Path

import numpy as np
import pytest

from serving import freed_memory

MIB = 1024 * 1024
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
    freed_memory.return_freed_memory()
    assert resident_bytes() < before - PIECE_BYTES * PIECES / 2
    assert kept.all()


async def test_memory_is_given_back_when_much_of_it_has_become_free(
    monkeypatch: pytest.MonkeyPatch,
):
    # Free at the start, then at each look and after each time that it is given back.
    seen = iter([100, 120, 163, 164, 164, 164, 80, 143, 144, 144, 144])
    given_back = 0
    done = asyncio.Event()

    def free() -> int:
        value = next(seen, None)
        if value is None:
            done.set()
            return 0
        return value * MIB

    def give_back() -> None:
        nonlocal given_back
        given_back += 1

    monkeypatch.setattr(freed_memory, "_POLL_SECONDS", 0)
    returning = asyncio.create_task(freed_memory.keep_returning_freed_memory(free, give_back))
    await asyncio.wait_for(done.wait(), 30)
    returning.cancel()
    assert given_back == 2


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="not glibc 2.33 or later")
def test_what_is_freed_counts_as_free():
    pieces = [np.ones(64 * 1024, np.uint8) for _ in range(1024)]
    kept = pieces[::16]
    before = freed_memory.free_bytes()
    del pieces
    assert freed_memory.free_bytes() - before > 32 * MIB
    assert kept
