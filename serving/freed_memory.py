"""Returns memory that was needed to load a model to the operating system."""

import ctypes


def return_freed_memory() -> None:
    """Return freed memory that glibc would keep for later (``malloc_trim(3)``).

    Reading a model temporarily takes three times its size, in threads with separate heaps. Other C
    libraries keep less memory, and have no such function.
    """
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
