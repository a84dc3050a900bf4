"""The time by which a request must be answered."""

import time
from dataclasses import dataclass
from typing import Final, Self

_MIN_SECONDS: Final = 1e-3
"""A timeout of zero would mean no deadline."""


@dataclass(frozen=True)
class Deadline:
    """A point in time, by ``time.perf_counter``."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """The deadline this many seconds from now."""
        return cls(time.perf_counter() + seconds)

    @property
    def remaining_seconds(self) -> float:
        """The time left; negative after the deadline."""
        return self.at - time.perf_counter()

    def timeout_seconds(self, *, at_most: float = float("inf")) -> float:
        """The timeout of a call: the time left, but at most ``at_most``; always above zero."""
        return max(_MIN_SECONDS, min(at_most, self.remaining_seconds))
