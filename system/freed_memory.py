"""Returns freed memory to the operating system. Only glibc keeps enough of it to need this."""

import asyncio
import ctypes
from collections.abc import Callable
from typing import Final

_POLL_SECONDS: Final = 2.0
_MIN_RETURNED_BYTES: Final = 64 * 1024 * 1024


def return_freed_memory() -> None:
    """Return freed memory that glibc would keep for later (``malloc_trim(3)``).

    Reading a model temporarily takes three times its size, in threads with separate heaps. Other C
    libraries keep less memory, and have no such function.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)


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
    """Return the free bytes in glibc's heaps; 0 for other C libraries and for glibc before 2.33."""
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if mallinfo2 is None:
        return 0
    mallinfo2.restype = _Mallinfo2
    return int(mallinfo2().fordblks)


async def keep_returning_freed_memory(
    free: Callable[[], int] = free_bytes, give_back: Callable[[], None] = return_freed_memory
) -> None:
    """Return free memory whenever 64 MiB more of it have accumulated; never ends.

    The C library keeps freed memory that lies below memory still in use. Mapping each large block
    separately instead (``M_MMAP_THRESHOLD``) would double the CPU time for a large image, because
    each of its pages causes a fault.

    Args:
        free: returns the free bytes in the heaps, whether given back or not.
        give_back: runs in a thread, because it takes milliseconds per gigabyte.
    """
    given_back = free()
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        now = free()
        # Memory that was given back and used again can be given back again.
        given_back = min(given_back, now)
        if now - given_back >= _MIN_RETURNED_BYTES:
            await asyncio.to_thread(give_back)
            given_back = free()
