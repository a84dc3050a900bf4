"""Limits for a single HTTP connection."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from covidscan.service.http.connection_slots import ConnectionSlot, ConnectionSlots

_HEALTH_CHECK_SECONDS: Final = 1.0


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits for a single HTTP connection."""

    slots: ConnectionSlots
    timeout_seconds: float
    """Timeout for receiving a request's head, for the client to continue reading its answer, and
    for discarding the rest of an unwanted body."""
    count_rejection: Callable[[int], None]
    """Called with the status of each connection rejected here, which the app never sees."""

    def head_seconds(self, slot: ConnectionSlot | None) -> float:
        """Return the timeout for a head or a TLS handshake; it is short for health checks."""
        if slot is None or not slot.health_checks_only:
            return self.timeout_seconds
        return min(_HEALTH_CHECK_SECONDS, self.timeout_seconds / 4)
