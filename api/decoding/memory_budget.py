"""The memory that all decoders together may use."""

import threading
import time


class MemoryBudget:
    """Gives memory to threads, each of which waits until enough is free.

    Args:
        total_bytes: for all threads together.
    """

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._free_bytes = total_bytes
        self._changed = threading.Condition()

    @property
    def held_bytes(self) -> int:
        """The memory in use."""
        return self.total_bytes - self._free_bytes

    def acquire(self, needed_bytes: int, *, deadline: float) -> bool:
        """Take memory; returns False if not enough was free by the deadline.

        Args:
            needed_bytes: the amount, at most the total.
            deadline: by ``time.monotonic``.
        """
        with self._changed:
            enough = self._changed.wait_for(
                lambda: self._free_bytes >= needed_bytes, max(0.0, deadline - time.monotonic())
            )
            if enough:
                self._free_bytes -= needed_bytes
            return enough

    def release(self, held_bytes: int) -> None:
        """Return memory."""
        with self._changed:
            self._free_bytes += held_bytes
            self._changed.notify_all()
