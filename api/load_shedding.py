"""How much is done at once: a bounded number in progress, a bounded number waiting, no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from api.errors import OverloadedError


class LoadLimit:
    """Lets in as many as can be worked on, lets others wait, and refuses the rest at once.

    Args:
        in_progress: how many are worked on at the same time.
        waiting: how many wait for one of them to end.
    """

    def __init__(self, *, in_progress: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(in_progress)
        self._max_waiting = waiting
        self.in_progress = 0
        """How many are worked on."""
        self.waiting = 0
        """How many wait."""

    @asynccontextmanager
    async def place(self, *, timeout_seconds: float) -> AsyncIterator[None]:
        """Hold a place; wait for one if need be, first come, first served.

        Raises:
            OverloadedError: too many wait already, or the wait was too long.
        """
        if self._places.locked() and self.waiting >= self._max_waiting:
            raise OverloadedError("too many requests are in progress; try again")
        self.waiting += 1
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise OverloadedError("too many requests were in progress; try again") from error
        finally:
            self.waiting -= 1
        self.in_progress += 1
        try:
            yield
        finally:
            self.in_progress -= 1
            self._places.release()
