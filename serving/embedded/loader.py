"""Loads versions in threads, with retries, and checks their signatures."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from serving import volume
from serving.embedded.engine import Engine, LoadedModel
from serving.embedded.errors import ModelLoadError
from serving.embedded.model_check import ModelSignature, admit
from serving.errors import VolumeError
from system.freed_memory import return_freed_memory

logger = logging.getLogger(__name__)

_LISTING_THREADS: Final = 32
_LISTING_SECONDS: Final = 5.0
"""The time limit for listing a folder, which may be on a hanging mount."""


class Loader:
    """Loads versions in its own threads.

    A version that is being retried occupies no thread between attempts, so it never delays another.

    Args:
        engine: reads and compiles versions.
        expected_signatures: the required signatures, by model name.
        threads: how many versions are loaded concurrently.
        retries: the number of attempts after the first.
        retry_interval_seconds: the pause between two attempts.
    """

    def __init__(
        self,
        engine: Engine,
        expected_signatures: Mapping[str, ModelSignature],
        *,
        threads: int,
        retries: int,
        retry_interval_seconds: float,
    ) -> None:
        self._engine = engine
        self._expected_signatures = expected_signatures
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="load")
        # Separate threads, so that a hanging mount delays neither loading nor shutdown.
        self._listing_threads = ThreadPoolExecutor(_LISTING_THREADS, thread_name_prefix="list")
        self._hanging: set[Path] = set()
        """Folders on which a thread hangs; no other thread is used for them."""
        self._retries = retries
        self._retry_interval_seconds = retry_interval_seconds

    async def load(self, name: str, version_dir: Path) -> LoadedModel:
        """Read, compile, warm up and check one version.

        Raises:
            ModelLoadError: all attempts have failed.
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
                logger.info("retrying %s: %s", version_dir, error)
            await asyncio.sleep(self._retry_interval_seconds)

    async def list_versions(self, model_dir: Path) -> dict[int, Path]:
        """List the versions in a model's directory, by number.

        Raises:
            VolumeError: the directory does not exist, cannot be read or does not answer.
        """
        if model_dir in self._hanging:
            raise VolumeError(f"{model_dir} still does not answer")
        listing = self._listing_threads.submit(volume.version_candidates, model_dir)
        try:
            async with asyncio.timeout(_LISTING_SECONDS):
                return await asyncio.wrap_future(listing)
        except TimeoutError as error:
            if not listing.cancelled():
                self._hanging.add(model_dir)
                listing.add_done_callback(lambda _: self._hanging.discard(model_dir))
            raise VolumeError(
                f"{model_dir} does not answer within {_LISTING_SECONDS:g} s"
            ) from error

    def release(self, model: LoadedModel | None) -> None:
        """Free a model in a thread, because the engine takes up to tens of milliseconds."""
        self._executor.submit(_forget, model)

    def stop(self) -> None:
        """Start no further loads."""
        self._listing_threads.shutdown(wait=False, cancel_futures=True)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _load(self, name: str, version_dir: Path) -> LoadedModel:
        try:
            model = self._engine.load(version_dir)
            if name in self._expected_signatures:
                admit(model, self._expected_signatures[name])
            return model
        finally:
            return_freed_memory()


def _forget(_: LoadedModel | None) -> None:
    """Hold the last reference to a model, so that it is freed in this thread."""
