"""When freed memory is given back."""

import asyncio
import ctypes

import numpy as np
import pytest

from covidscan.service import memory_return as memory

MIB = 1024 * 1024


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

    monkeypatch.setattr(memory, "_POLL_SECONDS", 0)
    returning = asyncio.create_task(memory.return_memory(free, give_back))
    await asyncio.wait_for(done.wait(), 30)
    returning.cancel()
    assert given_back == 2


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="not glibc 2.33 or later")
def test_what_is_freed_counts_as_free():
    pieces = [np.ones(64 * 1024, np.uint8) for _ in range(1024)]
    kept = pieces[::16]
    before = memory.free_bytes()
    del pieces
    assert memory.free_bytes() - before > 32 * MIB
    assert kept
