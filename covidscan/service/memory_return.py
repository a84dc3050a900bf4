"""Memory that a crowd has needed goes back to the operating system once the crowd is gone."""

import asyncio
import ctypes
from collections.abc import Callable
from typing import Final

from serving.embedded.malloc_trim import return_freed_memory

_LOOK_SECONDS: Final = 2.0
_WORTH_BYTES: Final = 64 * 1024 * 1024


class _Mallinfo2(ctypes.Structure):
    """glibc's ``struct mallinfo2`` (``mallinfo(3)``)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def free_bytes() -> int:
    """What glibc's heaps hold that is free; 0 for another C library, or one before 2.33."""
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        return 0
    mallinfo2.restype = _Mallinfo2
    return int(mallinfo2().fordblks)


async def return_memory(
    free: Callable[[], int] = free_bytes, give_back: Callable[[], None] = return_freed_memory
) -> None:
    """Give back what is free, whenever 64 MiB more of it are there; never ends.

    The C library keeps what is freed below something that is still in use. To have each large block
    mapped by itself instead (``M_MMAP_THRESHOLD``) would take a large image twice the time of the
    processor, as each of its pages is a fault.

    Args:
        free: what the heaps hold that is free, given back or not, in bytes.
        give_back: runs in a thread, as it takes milliseconds for each gigabyte.
    """
    given_back = free()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        now = free()
        # What was given back and is used again can be given back again.
        given_back = min(given_back, now)
        if now - given_back >= _WORTH_BYTES:
            await asyncio.to_thread(give_back)
            given_back = free()
