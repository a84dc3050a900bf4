"""A bounded number of slots, shared fairly between clients.

The next slot goes to the client that holds the fewest; of several, to the one whose last grant was
the longest ago. While a less busy client is active, no client may hold more than a share of the
slots, so that the less busy one finds a free slot. A client that is alone may hold all of them.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from api.fair_sharing.client_activity import ClientActivity
from api.fair_sharing.errors import OverloadedError

_OVERLOADED: Final = "too many requests are in progress; try again"


class FairSlots:
    """Slots, and a queue for each client that waits for them.

    Args:
        slots: the number of slots.
        max_per_busy_client: how many of them one client may hold while a less busy one is active.
        activity: of the clients, at these and other slots.
        max_per_client: how many of them one client may ever hold; by default all.
        max_waiting: how many callers may wait in total; None means no limit.
    """

    def __init__(
        self,
        slots: int,
        *,
        max_per_busy_client: int,
        activity: ClientActivity,
        max_per_client: int | None = None,
        max_waiting: int | None = None,
    ) -> None:
        self._slots = slots
        self._max_per_busy_client = max_per_busy_client
        self._max_per_client = slots if max_per_client is None else max_per_client
        self._max_waiting = max_waiting
        self._activity = activity
        self._held: Counter[str] = Counter()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    @property
    def in_progress(self) -> int:
        """The number of slots in use."""
        return self._held.total()

    @property
    def waiting(self) -> int:
        """The number of callers that wait."""
        return sum(map(len, self._queues.values()))

    def check(self, client: str) -> None:
        """Check that a slot is free, or that there is room to wait for one.

        Raises:
            OverloadedError: neither is the case.
        """
        if not self._free_for(client):
            self._longest_queue_if_full(client)

    def is_restricted(self, client: str) -> bool:
        """Whether a client is limited to a share, because a less busy client is active."""
        return client in self._activity.busy_clients()

    async def acquire(self, client: str) -> None:
        """Take a slot, or wait for one; return it with ``release``.

        Raises:
            OverloadedError: the queue is full, or this caller lost its place in it to another
                client.
        """
        self._activity.touch(client)
        if client not in self._queues and self._free_for(client):
            self._grant_to(client)
            return
        longest = self._longest_queue_if_full(client)
        if longest is not None:
            # The last caller in the longest queue makes room for a client with a shorter one.
            latest = self._queues[longest][-1]
            self._forget(longest, latest)
            latest.set_exception(OverloadedError(_OVERLOADED))
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
        """Return a slot."""
        self._activity.touch(client)
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._grant()

    async def acquire_within(self, client: str, *, timeout_seconds: float) -> None:
        """Take a slot, or wait for one until the timeout.

        Raises:
            OverloadedError: the queue is full, or the timeout has passed.
        """
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.acquire(client)
        except TimeoutError as error:
            raise OverloadedError(_OVERLOADED) from error

    @asynccontextmanager
    async def hold(self, client: str, *, timeout_seconds: float) -> AsyncIterator[None]:
        """Hold a slot while the context is open.

        Raises:
            OverloadedError: the queue is full, or the timeout has passed.
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
        return self._max_per_busy_client if client in busy_clients else self._max_per_client

    def _longest_queue_if_full(self, client: str) -> str | None:
        """The client whose last caller would make room for this client; None if there is room.

        Raises:
            OverloadedError: there is no room, and no other queue is longer than this client's.
        """
        if self._max_waiting is None or self.waiting < self._max_waiting:
            return None
        self._forget_cancelled()
        if self.waiting < self._max_waiting:
            return None
        longest = max(self._queues, key=lambda each: len(self._queues[each]), default=None)
        if longest is None or len(self._queues[longest]) <= len(self._queues.get(client, ())) + 1:
            raise OverloadedError(_OVERLOADED)
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
        """Remove callers whose wait was cancelled but whose tasks have not run since."""
        for client, queue in list(self._queues.items()):
            for waiter in [each for each in queue if each.done()]:
                self._forget(client, waiter)

    def _forget(self, client: str, waiter: "asyncio.Future[None]") -> None:
        queue = self._queues.get(client)
        if queue is not None and waiter in queue:
            queue.remove(waiter)
            if not queue:
                del self._queues[client]
