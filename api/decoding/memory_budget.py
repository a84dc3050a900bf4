"""How much memory all decoders together may take."""

import threading
import time


class MemoryBudget:
    """Hands out memory to threads, each of which waits for what it needs.

    Args:
        total_bytes: for all of them together.
    """

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self._free_bytes = total_bytes
        self._changed = threading.Condition()

    @property
    def held_bytes(self) -> int:
        """How much is handed out."""
        return self.total_bytes - self._free_bytes

    def acquire(self, needed_bytes: int, *, deadline: float) -> bool:
        """Take memory out; false where there was not enough by the deadline.

        Args:
            needed_bytes: how much, at most the total.
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
        """Give memory back."""
        with self._changed:
            self._free_bytes += held_bytes
            self._changed.notify_all()
