"""Loading a version: away from the event loop, again if it fails, and not unless it fits."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from serving import volume
from serving.embedded.admission import ModelSignature, admit
from serving.embedded.engine import Engine, LoadedModel
from serving.embedded.errors import ModelLoadError
from serving.embedded.malloc_trim import return_freed_memory
from serving.errors import VolumeError

logger = logging.getLogger(__name__)

_LOOKERS: Final = 32
_LOOK_SECONDS: Final = 5.0
"""For a folder to be listed, which may lie on a mount that hangs."""


class Loader:
    """Loads versions in threads of its own.

    A version that is being retried holds no thread between two attempts, so it never delays
    another.

    Args:
        engine: what reads and compiles.
        contract: the signatures that models of these names must have.
        threads: how many versions are read and compiled at once.
        retries: attempts after the first.
        retry_interval_seconds: pause between two attempts.
    """

    def __init__(
        self,
        engine: Engine,
        contract: Mapping[str, ModelSignature],
        *,
        threads: int,
        retries: int,
        retry_interval_seconds: float,
    ) -> None:
        self._engine = engine
        self._contract = contract
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="load")
        # Of their own, so that a mount that hangs holds up neither loading nor the end.
        self._lookers = ThreadPoolExecutor(_LOOKERS, thread_name_prefix="look")
        self._hanging: set[Path] = set()
        """Folders that a thread has not come back from; none is sent after it."""
        self._retries = retries
        self._retry_interval_seconds = retry_interval_seconds

    async def load(self, name: str, version_dir: Path) -> LoadedModel:
        """Read, compile, warm up and check one version.

        Raises:
            ModelLoadError: it cannot be served, and could not at the last attempt.
        """
        loop = asyncio.get_running_loop()
        attempts_left = self._retries
        while True:
            try:
                return await loop.run_in_executor(self._executor, self._load, name, version_dir)
            except ModelLoadError as error:
                if attempts_left == 0:
                    raise
                attempts_left -= 1
                logger.info("%s is tried again: %s", version_dir, error)
            await asyncio.sleep(self._retry_interval_seconds)

    async def look(self, model_dir: Path) -> dict[int, Path]:
        """Whatever counts as a version in a model's directory, by number.

        Raises:
            VolumeError: the directory is not there, cannot be read or does not answer.
        """
        if model_dir in self._hanging:
            raise VolumeError(f"{model_dir} still does not answer")
        looking = self._lookers.submit(volume.version_candidates, model_dir)
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                return await asyncio.wrap_future(looking)
        except TimeoutError as error:
            if not looking.cancelled():
                self._hanging.add(model_dir)
                looking.add_done_callback(lambda _: self._hanging.discard(model_dir))
            raise VolumeError(f"{model_dir} does not answer within {_LOOK_SECONDS:g} s") from error

    def release(self, model: LoadedModel | None) -> None:
        """Let a model go in a thread: the engine takes up to tens of milliseconds to free it."""
        self._executor.submit(_forget, model)

    def stop(self) -> None:
        """Begin no further load."""
        self._lookers.shutdown(wait=False, cancel_futures=True)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _load(self, name: str, version_dir: Path) -> LoadedModel:
        try:
            model = self._engine.load(version_dir)
            if name in self._contract:
                admit(model, self._contract[name])
            return model
        finally:
            return_freed_memory()


def _forget(_: LoadedModel | None) -> None:
    """Be the last to hold a model, so that it is freed here."""
