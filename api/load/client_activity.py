"""Which clients are about, and how much each has asked for lately."""

import itertools
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ACTIVE_SECONDS: Final = 10.0
"""How long a client counts as being about after it has last held or wanted a slot."""
_HALF_LIFE_SECONDS: Final = 5.0
"""After which a slot that a client was given counts half."""


@dataclass
class _Activity:
    """What one client has asked for lately."""

    seen: float
    last_grant: int = -1
    grants: float = 0.0
    counted: float = 0.0

    def decayed_grants(self, now: float) -> float:
        return self.grants * math.exp2((self.counted - now) / _HALF_LIFE_SECONDS)


class ClientActivity:
    """Remembers clients for a few seconds; all slots of a gateway share one of these.

    Args:
        clock: seconds, from any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._grants = itertools.count()
        self._clients: OrderedDict[str, _Activity] = OrderedDict()
        """The one that has been quiet the longest comes first."""

    def touch(self, client: str) -> None:
        """A client is about; forget those that have been quiet for long."""
        now = self._clock()
        self._clients.setdefault(client, _Activity(now)).seen = now
        self._clients.move_to_end(client)
        while now - next(iter(self._clients.values())).seen > ACTIVE_SECONDS:
            self._clients.popitem(last=False)

    def count(self, client: str) -> None:
        """A client is given a slot."""
        self.touch(client)
        now, activity = self._clock(), self._clients[client]
        activity.grants, activity.counted = activity.decayed_grants(now) + 1, now
        activity.last_grant = next(self._grants)

    def last_grant(self, client: str) -> int:
        """The number of the last slot that a client was given; the lower, the longer ago."""
        return self._clients[client].last_grant if client in self._clients else -1

    def busy_clients(self) -> frozenset[str]:
        """The clients beside which one is about that has asked for less."""
        now = self._clock()
        asked_for = {client: each.decayed_grants(now) for client, each in self._clients.items()}
        least = min(asked_for.values(), default=0.0)
        return frozenset(client for client, grants in asked_for.items() if grants > least)
