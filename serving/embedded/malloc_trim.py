"""Memory that was needed to load a model goes back to the operating system."""

import ctypes


def return_freed_memory() -> None:
    """Return what has been freed, as glibc keeps it for later (``malloc_trim(3)``).

    To read a model takes three times its size for a moment, in threads that all have heaps of
    their own. Other C libraries keep less, and have no such call.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
