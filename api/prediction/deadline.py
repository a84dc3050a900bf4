"""The time by which a request must be answered."""

import time
from dataclasses import dataclass
from typing import Final, Self

_MIN_SECONDS: Final = 1e-3
"""A call with no time left would have no deadline."""


@dataclass(frozen=True)
class Deadline:
    """A point in time, by ``time.perf_counter``."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """So many seconds from now."""
        return cls(time.perf_counter() + seconds)

    @property
    def remaining_seconds(self) -> float:
        """Until then; negative once it has passed."""
        return self.at - time.perf_counter()

    def timeout_seconds(self, *, at_most: float = float("inf")) -> float:
        """The timeout of a call that must end by then, or earlier; always above zero."""
        return max(_MIN_SECONDS, min(at_most, self.remaining_seconds))
