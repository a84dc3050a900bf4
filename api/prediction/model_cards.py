"""The model cards on the volume. Each is read once, because a published version never changes."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from serving import volume
from serving.errors import VolumeError
from serving.volume.model_card import ModelCard
from system.deadlines import DeadlineThreads

_READ_SECONDS: Final = 2.0
_RETRY_SECONDS: Final = 1.0
"""How long a missing card is not looked for again."""
_RETRY_AFTER_TIMEOUT_SECONDS: Final = 10.0
"""The same after the volume did not answer in time."""

_Key = tuple[str, int]


class ModelCards:
    """Cards by model and version.

    An answer comes within two seconds, whatever is wrong with the volume. Concurrent requests for
    the same card share one read.

    Args:
        models_dir: the volume; if it is not mounted, there are no cards.
        clock: returns the time in seconds.
    """

    def __init__(self, models_dir: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._models_dir = models_dir
        self._clock = clock
        self._threads = DeadlineThreads("card", threads=4, seconds=_READ_SECONDS)
        self._cards: dict[_Key, ModelCard] = {}
        self._absent_until: dict[_Key, float] = {}
        self._reading: dict[_Key, asyncio.Task[ModelCard | None]] = {}

    async def get(self, name: str, version: int) -> ModelCard | None:
        """The card of a version, or None if it has none or the volume is not mounted."""
        key = name, version
        if key in self._cards:
            return self._cards[key]
        if self._clock() < self._absent_until.get(key, float("-inf")):
            return None
        if key not in self._reading:
            self._reading[key] = asyncio.create_task(self._read(key), name="read model card")
            self._reading[key].add_done_callback(lambda _: self._reading.pop(key))
        # Shielded, because other requests may wait for the same read when this one is cancelled.
        return await asyncio.shield(self._reading[key])

    async def _read(self, key: _Key) -> ModelCard | None:
        name, version = key
        try:
            card = await self._threads.call(
                lambda: ModelCard.read(volume.version_dir(self._models_dir, name, version))
            )
        except (VolumeError, OSError) as error:
            # Fields that only the card has are then null.
            hangs = isinstance(error, TimeoutError)
            pause_seconds = _RETRY_AFTER_TIMEOUT_SECONDS if hangs else _RETRY_SECONDS
            self._absent_until[key] = self._clock() + pause_seconds
            return None
        self._cards[key] = card
        self._absent_until.pop(key, None)
        return card
