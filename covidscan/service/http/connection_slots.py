"""Limits connections, in total and per address, and reserves some for health checks."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from api.http.access.client_address import Network, is_among, network_of

RESERVED: Final = 64
"""Connections beyond the bounds. Only health checks are answered on them."""


class ConnectionSlot:
    """The slot that a connection occupies.

    Args:
        slots: the slots that it is one of.
        network: the client's network, as ``network_of`` returns it.
        health_checks_only: whether it is one of the reserved slots.
    """

    def __init__(self, slots: "ConnectionSlots", network: str, *, health_checks_only: bool) -> None:
        self._slots: ConnectionSlots | None = slots
        self.network = network
        self.health_checks_only = health_checks_only
        self.evict: Callable[[], object] | None = None
        """Ends the connection. None while it must not be ended."""

    def release(self) -> None:
        """Give the slot back. Calling it again does nothing."""
        if self._slots is not None:
            self._slots.put_back(self)
            self._slots = None


class ConnectionSlots:
    """The slots for connections.

    A connection beyond the bounds is still accepted, but only for a health check, which is short.
    There are a few reserved slots for these, and new connections evict old ones. A health check
    sends its request at once, so it is answered before enough others arrive to evict it.

    Args:
        max_connections: in total, without the reserved ones.
        max_per_address: per address, or per /64 network for IPv6.
        unbounded: networks of proxies, which forward requests of many clients.
    """

    def __init__(
        self, *, max_connections: int, max_per_address: int, unbounded: Sequence[Network] = ()
    ) -> None:
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._unbounded = unbounded
        self._ordinary: Counter[str] = Counter()
        self._reserved: dict[ConnectionSlot, None] = {}
        """In order of arrival."""

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return self._ordinary.total() + len(self._reserved)

    def take(self, address: str) -> ConnectionSlot | None:
        """Return a slot for a connection, or None if even the reserved ones are taken.

        May evict another connection from a reserved slot.
        """
        network = network_of(address)
        if self._has_free_slot(address, network):
            self._ordinary[network] += 1
            return ConnectionSlot(self, network, health_checks_only=False)
        if len(self._reserved) >= RESERVED and not self._evict_oldest():
            return None
        slot = ConnectionSlot(self, network, health_checks_only=True)
        self._reserved[slot] = None
        return slot

    def put_back(self, slot: ConnectionSlot) -> None:
        """Release a slot; called by ``ConnectionSlot.release``."""
        if slot.health_checks_only:
            self._reserved.pop(slot)
            return
        self._ordinary[slot.network] -= 1
        if not self._ordinary[slot.network]:
            del self._ordinary[slot.network]

    def _has_free_slot(self, address: str, network: str) -> bool:
        if self._ordinary.total() >= self._max_connections:
            return False
        return self._ordinary[network] < self._max_per_address or is_among(address, self._unbounded)

    def _evict_oldest(self) -> bool:
        """Evict the oldest connection of the network that holds most of the reserved slots."""
        can_go = [slot for slot in self._reserved if slot.evict is not None]
        if not can_go:
            return False
        ((crowd, _),) = Counter(slot.network for slot in can_go).most_common(1)
        oldest = next(slot for slot in can_go if slot.network == crowd)
        oldest.release()
        if oldest.evict is not None:
            oldest.evict()
        return True
