"""One model's versions: which are wanted, which are loaded, and how each of them fares.

A new version is loaded beside the old one and replaces it only once it answers; a version that
cannot be loaded leaves the one that serves in place. All methods run on the event loop; only the
loading itself runs in a thread.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from serving import volume
from serving.embedded.engine import Engine, LoadedModel, ModelLoadError
from serving.model_config import ModelConfig
from serving.protos.model_status_pb2 import Code, ModelVersionStatus

logger = logging.getLogger(__name__)


@dataclass
class ServableVersion:
    """A version that was seen at least once, and stays known after it has ended."""

    number: int
    state: "ModelVersionStatus.State" = ModelVersionStatus.START
    error_code: Code = Code.OK
    error_message: str = ""
    model: LoadedModel | None = None

    @property
    def available(self) -> bool:
        """Whether it answers predictions."""
        return self.state == ModelVersionStatus.AVAILABLE

    @property
    def broken(self) -> bool:
        """Whether it was tried and could not be loaded."""
        return self.error_code != Code.OK


class Servable:
    """A model and its versions.

    Args:
        config: name, directory and number of versions that are served at once.
        engine: what loads versions.
        executor: where loading runs.
        on_change: called after every change of state.
    """

    def __init__(
        self,
        config: ModelConfig,
        engine: Engine,
        executor: Executor,
        on_change: Callable[[], None],
    ) -> None:
        self.config = config
        self._engine = engine
        self._executor = executor
        self._on_change = on_change
        self._versions: dict[int, ServableVersion] = {}

    @property
    def versions(self) -> Sequence[ServableVersion]:
        """Every version that was ever seen, newest first."""
        return [self._versions[number] for number in sorted(self._versions, reverse=True)]

    def find(self, number: int | None = None) -> ServableVersion | None:
        """The available version of this number, or the newest available one."""
        for version in self.versions:
            if version.available and number in (None, version.number):
                return version
        return None

    async def poll(self) -> None:
        """Look at the directory once, load what is new, unload what is no longer wanted."""
        on_disk = volume.versions(self.config.base_path.parent, self.config.base_path.name)
        self._forgive_broken_versions_that_went(on_disk)
        for number in self._wanted(on_disk):
            if self.find(number) is None:
                await self._load(number)
        # Asked anew: a version that could not be loaded is no longer wanted, so the one that
        # serves stays.
        wanted = self._wanted(on_disk)
        for version in self.versions:
            if version.available and version.number not in wanted:
                self._unload(version)

    def unload_all(self) -> None:
        """Take every version out of service."""
        for version in self.versions:
            if version.available:
                self._unload(version)

    def _wanted(self, on_disk: list[int]) -> list[int]:
        sound = [
            number
            for number in on_disk
            if not (number in self._versions and self._versions[number].broken)
        ]
        return sound[-self.config.num_versions :]

    def _forgive_broken_versions_that_went(self, on_disk: list[int]) -> None:
        for version in self.versions:
            if version.broken and version.number not in on_disk:
                version.error_code, version.error_message = Code.OK, ""
                self._on_change()

    async def _load(self, number: int) -> None:
        version = ServableVersion(number)
        self._versions[number] = version
        self._set_state(version, ModelVersionStatus.LOADING)
        path = volume.version_dir(self.config.base_path.parent, self.config.base_path.name, number)
        loop = asyncio.get_running_loop()
        try:
            version.model = await loop.run_in_executor(self._executor, self._engine.load, path)
        except ModelLoadError as error:
            version.error_code, version.error_message = Code.INVALID_ARGUMENT, str(error)
            self._set_state(version, ModelVersionStatus.END)
            logger.warning(
                "model %s version %d cannot be loaded: %s", self.config.name, number, error
            )
        else:
            self._set_state(version, ModelVersionStatus.AVAILABLE)
            logger.info("model %s version %d is available", self.config.name, number)

    def _unload(self, version: ServableVersion) -> None:
        # Calls in flight hold the model themselves, so it ends when the last of them does.
        version.model = None
        self._set_state(version, ModelVersionStatus.END)
        logger.info("model %s version %d is unloaded", self.config.name, version.number)

    def _set_state(self, version: ServableVersion, state: "ModelVersionStatus.State") -> None:
        version.state = state
        self._on_change()
