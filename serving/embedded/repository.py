"""All servables of a model server, kept in step with the volume."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from serving.embedded.engine import Engine
from serving.embedded.servable import Servable
from serving.errors import VolumeError
from serving.model_config import ModelConfig

logger = logging.getLogger(__name__)

DEFAULT_POLL_SECONDS: Final = 1.0


class ModelRepository:
    """Polls the directory of every model and swaps versions.

    Each model is watched by a task of its own, so a slow or broken one never holds up another.

    Args:
        configs: the models.
        engine: what loads versions.
        poll_seconds: pause between two looks at a model's directory.
    """

    def __init__(
        self,
        configs: Sequence[ModelConfig],
        engine: Engine,
        *,
        poll_seconds: float = DEFAULT_POLL_SECONDS,
    ) -> None:
        self._poll_seconds = poll_seconds
        self._executor = ThreadPoolExecutor(len(configs) or 1, thread_name_prefix="load")
        self._listeners: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.servables: Mapping[str, Servable] = {
            config.name: Servable(config, engine, self._executor, self._changed)
            for config in configs
        }

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after every change of a version's state."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to watch; loading goes on in the background."""
        self._tasks = [
            asyncio.create_task(self._watch(servable), name=f"watch {name}")
            for name, servable in self.servables.items()
        ]

    async def stop(self) -> None:
        """Stop watching and unload everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for servable in self.servables.values():
            servable.unload_all()
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _watch(self, servable: Servable) -> None:
        while True:
            try:
                await servable.poll()
            except (OSError, VolumeError):
                # The directory changed while it was read, or is not readable for the moment.
                logger.exception("the versions of model %s cannot be read", servable.config.name)
            await asyncio.sleep(self._poll_seconds)

    def _changed(self) -> None:
        for listener in self._listeners:
            listener()
