"""A bounded number of slots, shared fairly: a client that asks for much waits for itself.

Whoever holds the fewest slots gets the next one, of several the one who was last given one the
longest ago. And while a client is about that has asked for less, none may hold more than a share of
the slots, so that the one who asks for less finds one. A client that is alone may hold them all.
"""

import asyncio
import itertools
import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from api.errors import OverloadedError

ACTIVE_SECONDS: Final = 10.0
"""How long a client counts as being about after it has last held or wanted a slot."""
_HALF_LIFE_SECONDS: Final = 5.0
"""After which a slot that a client was given counts half."""
_TOO_MUCH: Final = "too many requests are in progress; try again"


@dataclass
class _Activity:
    """What a client that is about has asked for lately."""

    seen: float
    last_grant: int = -1
    """The number of the slot that it was last given."""
    _grants: float = 0.0
    _counted: float = 0.0

    def count(self, now: float, grant: int) -> None:
        self._grants, self._counted = self.decayed(now) + 1, now
        self.last_grant = grant

    def decayed(self, now: float) -> float:
        return self._grants * math.exp2((self._counted - now) / _HALF_LIFE_SECONDS)


class FairSlots:
    """Slots, and one queue for each client that waits for them.

    Args:
        slots: how many there are.
        shared: how many of them one client may hold while one is about that has asked for less.
        waiting: how many callers may wait in all; None is no limit.
        clock: seconds, from any beginning.
    """

    def __init__(
        self,
        slots: int,
        *,
        shared: int,
        waiting: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots = slots
        self._shared = shared
        self._max_waiting = waiting
        self._clock = clock
        self._held: Counter[str] = Counter()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}
        self._grants = itertools.count()
        self._active: OrderedDict[str, _Activity] = OrderedDict()
        """Of each client that is about; the one that has been quiet the longest comes first."""

    @property
    def in_progress(self) -> int:
        """How many slots are held."""
        return self._held.total()

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return sum(map(len, self._queues.values()))

    def check(self, client: str) -> None:
        """Say whether there would be a slot, or room to wait for one.

        Raises:
            OverloadedError: there would not.
        """
        if not self._free_for(client):
            self._longest_queue_if_full(client)

    async def acquire(self, client: str) -> None:
        """Take a slot, or wait for one; ``release`` gives it back.

        Raises:
            OverloadedError: as many wait as may, or somebody else was let in instead.
        """
        self._touch(client)
        if client not in self._queues and self._free_for(client):
            self._grant_to(client)
            return
        longest = self._longest_queue_if_full(client)
        if longest is not None:
            # The latest of those who wait most makes room for a client who waits less.
            latest = self._queues[longest][-1]
            self._forget(longest, latest)
            latest.set_exception(OverloadedError(_TOO_MUCH))
        waiter = asyncio.get_running_loop().create_future()
        self._queues.setdefault(client, deque()).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(client)
            else:
                self._forget(client, waiter)
            raise

    def release(self, client: str) -> None:
        """Give a slot back."""
        self._touch(client)
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._grant()

    @asynccontextmanager
    async def hold(self, client: str, *, timeout_seconds: float) -> AsyncIterator[None]:
        """Hold a slot.

        Raises:
            OverloadedError: too many wait already, or the wait was too long.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.acquire(client)
        except TimeoutError as error:
            raise OverloadedError(_TOO_MUCH) from error
        try:
            yield
        finally:
            self.release(client)

    def _free_for(self, client: str) -> bool:
        return self.in_progress < self._slots and self._held[client] < self._limits()(client)

    def _limits(self) -> Callable[[str], int]:
        """How many slots each client may hold at present."""
        now = self._clock()
        asked_for = {client: each.decayed(now) for client, each in self._active.items()}
        least = min(asked_for.values(), default=0.0)
        return lambda client: self._slots if asked_for.get(client, 0.0) <= least else self._shared

    def _touch(self, client: str) -> None:
        now = self._clock()
        self._active.setdefault(client, _Activity(now)).seen = now
        self._active.move_to_end(client)
        while now - next(iter(self._active.values())).seen > ACTIVE_SECONDS:
            self._active.popitem(last=False)

    def _longest_queue_if_full(self, client: str) -> str | None:
        """Whose latest caller would make room for this client's; None where there is room.

        Raises:
            OverloadedError: there is no room, and this client waits as much as any.
        """
        if self._max_waiting is None or self.waiting < self._max_waiting:
            return None
        self._forget_cancelled()
        if self.waiting < self._max_waiting:
            return None
        longest = max(self._queues, key=lambda each: len(self._queues[each]), default=None)
        if longest is None or len(self._queues[longest]) <= len(self._queues.get(client, ())) + 1:
            raise OverloadedError(_TOO_MUCH)
        return longest

    def _grant(self) -> None:
        self._forget_cancelled()
        while self._queues and self.in_progress < self._slots:
            limit = self._limits()
            able = [client for client in self._queues if self._held[client] < limit(client)]
            if not able:
                return
            client = min(able, key=lambda each: (self._held[each], self._last_grant(each)))
            waiter = self._queues[client][0]
            self._grant_to(client)
            self._forget(client, waiter)
            waiter.set_result(None)

    def _grant_to(self, client: str) -> None:
        self._touch(client)
        self._held[client] += 1
        self._active[client].count(self._clock(), next(self._grants))

    def _last_grant(self, client: str) -> int:
        return self._active[client].last_grant if client in self._active else -1

    def _forget_cancelled(self) -> None:
        """Take out callers that have been cancelled and have not come to know it yet."""
        for client, queue in list(self._queues.items()):
            for waiter in [each for each in queue if each.done()]:
                self._forget(client, waiter)

    def _forget(self, client: str, waiter: "asyncio.Future[None]") -> None:
        queue = self._queues.get(client)
        if queue is not None and waiter in queue:
            queue.remove(waiter)
            if not queue:
                del self._queues[client]
