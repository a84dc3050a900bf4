"""Which clients are active, and how many slots each has recently been granted."""

import itertools
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ACTIVE_SECONDS: Final = 10.0
"""How long a client counts as active after it last held or requested a slot."""
_HALF_LIFE_SECONDS: Final = 5.0
"""The time after which a granted slot counts half."""


@dataclass
class _Activity:
    """The recent activity of one client."""

    seen: float
    last_grant: int = -1
    grants: float = 0.0
    counted: float = 0.0

    def decayed_grants(self, now: float) -> float:
        return self.grants * math.exp2((self.counted - now) / _HALF_LIFE_SECONDS)


class ClientActivity:
    """Remembers clients for a few seconds. All slots of a gateway share one instance.

    Args:
        clock: returns the time in seconds, from any starting point.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._grants = itertools.count()
        self._clients: OrderedDict[str, _Activity] = OrderedDict()
        """The client that has been inactive the longest comes first."""

    def touch(self, client: str) -> None:
        """Mark a client as active, and forget those that have long been inactive."""
        now = self._clock()
        self._clients.setdefault(client, _Activity(now)).seen = now
        self._clients.move_to_end(client)
        while now - next(iter(self._clients.values())).seen > ACTIVE_SECONDS:
            self._clients.popitem(last=False)

    def count(self, client: str) -> None:
        """Count a slot granted to a client."""
        self.touch(client)
        now, activity = self._clock(), self._clients[client]
        activity.grants, activity.counted = activity.decayed_grants(now) + 1, now
        activity.last_grant = next(self._grants)

    def last_grant(self, client: str) -> int:
        """The sequence number of the last slot granted to a client; lower means longer ago."""
        return self._clients[client].last_grant if client in self._clients else -1

    def busy_clients(self) -> frozenset[str]:
        """The clients that have been granted more than the least busy active client."""
        now = self._clock()
        decayed_grants = {
            client: each.decayed_grants(now) for client, each in self._clients.items()
        }
        least = min(decayed_grants.values(), default=0.0)
        return frozenset(client for client, grants in decayed_grants.items() if grants > least)
