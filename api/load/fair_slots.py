"""A bounded number of slots, shared fairly: a client that asks for much waits for itself.

Whoever holds the fewest slots gets the next one, of several the one who was last given one the
longest ago. And while a client is about that has asked for less, none may hold more than a share of
the slots, so that the one who asks for less finds one. A client that is alone may hold them all.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from api.load.client_activity import ClientActivity
from api.load.errors import OverloadedError

_TOO_MUCH: Final = "too many requests are in progress; try again"


class FairSlots:
    """Slots, and one queue for each client that waits for them.

    Args:
        slots: how many there are.
        shared: how many of them one client may hold while one is about that has asked for less.
        activity: of the clients, at these slots and at others.
        alone: how many of them one client may hold at any time; by default all.
        waiting: how many callers may wait in all; None is no limit.
    """

    def __init__(
        self,
        slots: int,
        *,
        shared: int,
        activity: ClientActivity,
        alone: int | None = None,
        waiting: int | None = None,
    ) -> None:
        self._slots = slots
        self._shared = shared
        self._alone = slots if alone is None else alone
        self._max_waiting = waiting
        self._activity = activity
        self._held: Counter[str] = Counter()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

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

    def is_crowded_by(self, client: str) -> bool:
        """Whether a client is held to a share, because one is about that has asked for less."""
        return client in self._activity.busy_clients()

    async def acquire(self, client: str) -> None:
        """Take a slot, or wait for one; ``release`` gives it back.

        Raises:
            OverloadedError: as many wait as may, or somebody else was let in instead.
        """
        self._activity.touch(client)
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
        self._activity.touch(client)
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._grant()

    async def acquire_within(self, client: str, *, timeout_seconds: float) -> None:
        """Take a slot, or wait for one, but not longer.

        Raises:
            OverloadedError: too many wait already, or the wait was too long.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.acquire(client)
        except TimeoutError as error:
            raise OverloadedError(_TOO_MUCH) from error

    @asynccontextmanager
    async def hold(self, client: str, *, timeout_seconds: float) -> AsyncIterator[None]:
        """Hold a slot.

        Raises:
            OverloadedError: too many wait already, or the wait was too long.
        """
        await self.acquire_within(client, timeout_seconds=timeout_seconds)
        try:
            yield
        finally:
            self.release(client)

    def _free_for(self, client: str) -> bool:
        return self.in_progress < self._slots and self._held[client] < self._limit(
            client, self._activity.busy_clients()
        )

    def _limit(self, client: str, busy_clients: Collection[str]) -> int:
        return self._shared if client in busy_clients else self._alone

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
            busy = self._activity.busy_clients()
            able = [each for each in self._queues if self._held[each] < self._limit(each, busy)]
            if not able:
                return
            client = min(able, key=lambda each: (self._held[each], self._activity.last_grant(each)))
            waiter = self._queues[client][0]
            self._grant_to(client)
            self._forget(client, waiter)
            waiter.set_result(None)

    def _grant_to(self, client: str) -> None:
        self._activity.count(client)
        self._held[client] += 1

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
