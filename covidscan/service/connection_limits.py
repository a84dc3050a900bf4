"""Limits for a single HTTP connection."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from covidscan.service.connection_slots import ConnectionRoom, Place

_HEALTH_CHECK_SECONDS: Final = 1.0


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits for a single HTTP connection."""

    room: ConnectionRoom
    timeout_seconds: float
    """Timeout for receiving a request's head, for the client to continue reading its answer, and
    for discarding the rest of an unwanted body."""
    count_refusal: Callable[[int], None]
    """Called with the status of each connection refused here, which the app never sees."""

    def head_seconds(self, place: Place | None) -> float:
        """Return the timeout for a head or a TLS handshake; it is short for health checks."""
        if place is None or not place.health_checks_only:
            return self.timeout_seconds
        return min(_HEALTH_CHECK_SECONDS, self.timeout_seconds / 4)
