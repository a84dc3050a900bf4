"""Memory of what is large goes back to the operating system as soon as it is free."""

import ctypes
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
"""``mallopt(3)``'s name for it, from glibc's ``malloc.h``."""
_LARGE_BYTES: Final = 1024 * 1024


def return_large_blocks() -> None:
    """Have each block of a mebibyte or more mapped by itself, for as long as the process runs.

    glibc does so too, but for larger and larger blocks once some were freed, up to 32 MiB. From
    then on images and answers lie in its heaps, and what is freed below something in use stays.
    Other C libraries have no such call, and no need for it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
