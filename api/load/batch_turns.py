"""How many images of batches a client has in progress at once, however many batches it sends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class BatchTurns:
    """One semaphore for each client that has a batch in progress.

    Without it each of a client's batches would fill the queue that all requests wait in, and have
    its images rejected there.

    Args:
        images_at_once: of all batches of one client.
    """

    def __init__(self, images_at_once: int) -> None:
        self._images_at_once = images_at_once
        self._semaphores: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait until it is an image's turn; those of one client come in their order."""
        semaphore = self._semaphores.get(client)
        if semaphore is None:
            semaphore = asyncio.Semaphore(self._images_at_once)
            self._semaphores[client] = semaphore
        async with semaphore:
            yield
