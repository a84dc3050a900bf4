"""How many connections there may be, in all and of one address, and a few for health checks."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from api.http.access.client_address import Network, is_among, network_of

RESERVED: Final = 64
"""Connections beyond the bounds, on which only health checks are answered."""


class Place:
    """What a connection takes up.

    Args:
        room: where.
        network: whose connection it is, as ``network_of`` gives it.
        health_checks_only: whether it is one of those beyond the bounds.
    """

    def __init__(self, room: "ConnectionRoom", network: str, *, health_checks_only: bool) -> None:
        self._room: ConnectionRoom | None = room
        self.network = network
        self.health_checks_only = health_checks_only
        self.evict: Callable[[], object] | None = None
        """Ends the connection; None while it must not be ended."""

    def leave(self) -> None:
        """Give the place back; a second time nothing happens."""
        if self._room is not None:
            self._room.forget(self)
            self._room = None


class ConnectionRoom:
    """The places that there are.

    A connection beyond the bounds is accepted all the same, but only for a health check, which is
    short. Of those there are a few: the newest ones. A health check sends its request at once, so
    it is answered before as many others have come that it would have to make room.

    Args:
        max_connections: in all, without those few.
        max_per_address: of one address, or of one /64 network of IPv6.
        unbounded: networks of proxies, each of which stands for many clients.
    """

    def __init__(
        self, *, max_connections: int, max_per_address: int, unbounded: Sequence[Network] = ()
    ) -> None:
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._unbounded = unbounded
        self._ordinary: Counter[str] = Counter()
        self._reserved: dict[Place, None] = {}
        """In the order in which they came."""

    @property
    def connections(self) -> int:
        """How many there are."""
        return self._ordinary.total() + len(self._reserved)

    def enter(self, address: str) -> Place | None:
        """A place for a connection from an address; None where not even a health check has one.

        May end another connection that is only there to check health.
        """
        network = network_of(address)
        if self._has_room(address, network):
            self._ordinary[network] += 1
            return Place(self, network, health_checks_only=False)
        if len(self._reserved) >= RESERVED and not self._make_room():
            return None
        place = Place(self, network, health_checks_only=True)
        self._reserved[place] = None
        return place

    def forget(self, place: Place) -> None:
        """Take a place back; ``Place.leave`` calls it."""
        if place.health_checks_only:
            self._reserved.pop(place)
            return
        self._ordinary[place.network] -= 1
        if not self._ordinary[place.network]:
            del self._ordinary[place.network]

    def _has_room(self, address: str, network: str) -> bool:
        if self._ordinary.total() >= self._max_connections:
            return False
        return self._ordinary[network] < self._max_per_address or is_among(address, self._unbounded)

    def _make_room(self) -> bool:
        """End the oldest connection of whoever has most of the few."""
        can_go = [place for place in self._reserved if place.evict is not None]
        if not can_go:
            return False
        ((crowd, _),) = Counter(place.network for place in can_go).most_common(1)
        oldest = next(place for place in can_go if place.network == crowd)
        oldest.leave()
        if oldest.evict is not None:
            oldest.evict()
        return True
