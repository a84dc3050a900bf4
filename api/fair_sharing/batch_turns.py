"""Limits how many images from batches a client has in progress, however many batches it sends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class BatchTurns:
    """A semaphore for each client that has a batch in progress.

    Without it, a client's batches would fill the queue in which all requests wait, and their images
    would be rejected there.

    Args:
        images_at_once: the limit for all batches of one client together.
    """

    def __init__(self, images_at_once: int) -> None:
        self._images_at_once = images_at_once
        self._semaphores: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for the turn of one image; the images of a client take their turns in order."""
        semaphore = self._semaphores.get(client)
        if semaphore is None:
            semaphore = asyncio.Semaphore(self._images_at_once)
            self._semaphores[client] = semaphore
        async with semaphore:
            yield
