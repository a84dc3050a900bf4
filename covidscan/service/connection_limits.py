"""What a connection may take."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from covidscan.service.connection_room import ConnectionRoom, Place

_HEALTH_CHECK_SECONDS: Final = 1.0


@dataclass(frozen=True)
class ConnectionLimits:
    """What a connection may take."""

    room: ConnectionRoom
    timeout_seconds: float
    """For a request's head to come in, for a client to go on reading its answer, and for the rest
    of a body that nobody reads."""
    count_refusal: Callable[[int], None]
    """Is told the status of what is refused here, where no app sees it."""

    def head_seconds(self, place: Place | None) -> float:
        """How long a request's head may take, and a TLS handshake; a health check takes no time."""
        if place is None or not place.health_checks_only:
            return self.timeout_seconds
        return min(_HEALTH_CHECK_SECONDS, self.timeout_seconds / 4)
