"""The versions of one model: which should be served, which are loaded, and their states.

A new version is loaded beside the old one and replaces it only once it is available. If it cannot
be loaded, the old one stays. All methods run on the event loop; only loading runs in a thread.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from serving.embedded.engine import LoadedModel
from serving.embedded.errors import ModelLoadError
from serving.embedded.loader import Loader
from serving.errors import VolumeError
from serving.protos.model_status_pb2 import Code, ModelVersionStatus
from serving.volume.model_config import ModelConfig

logger = logging.getLogger(__name__)


@dataclass
class ServableVersion:
    """A version that was seen at least once; it stays known after it has ended."""

    model_name: str
    number: int
    path: Path
    state: "ModelVersionStatus.State" = ModelVersionStatus.START
    error: ModelLoadError | None = None
    model: LoadedModel | None = None

    @property
    def available(self) -> bool:
        """Whether the version answers predictions."""
        return self.state == ModelVersionStatus.AVAILABLE

    @property
    def loaded(self) -> LoadedModel:
        """The model of an available version."""
        if self.model is None:
            raise LookupError(f"version {self.number} is not loaded")
        return self.model

    @property
    def status(self) -> ModelVersionStatus:
        """The status for GetModelStatus."""
        status = ModelVersionStatus(version=self.number, state=self.state)
        status.status.error_code = self.error.code if self.error else Code.OK
        status.status.error_message = self.error.message if self.error else ""
        return status


class Servable:
    """A model and its versions.

    Args:
        config: name, directory and which versions are served.
        loader: loads versions.
        on_change: called after every change of a version's state.
    """

    def __init__(
        self,
        config: ModelConfig,
        loader: Loader,
        on_change: Callable[[ServableVersion], None],
    ) -> None:
        self.config = config
        self._loader = loader
        self._on_change = on_change
        self._versions: dict[int, ServableVersion] = {}
        self._loading: dict[int, tuple[Path, asyncio.Task[None]]] = {}
        self._rejected: set[tuple[int, Path]] = set()
        self._polling = asyncio.Lock()
        self._last_warning = ""

    @property
    def versions(self) -> Sequence[ServableVersion]:
        """Every version ever seen, newest first."""
        return [self._versions[number] for number in sorted(self._versions, reverse=True)]

    def find(self, number: int | None = None) -> ServableVersion | None:
        """The available version with this number, or the newest available one."""
        for version in self.versions:
            if version.available and number in (None, version.number):
                return version
        return None

    async def poll(self) -> None:
        """List the directory once, start loading new versions, unload unwanted ones.

        If the directory temporarily cannot be read, the current versions keep serving.
        """
        # One poll at a time, so that an older listing cannot undo the effect of a newer one.
        async with self._polling:
            try:
                self._follow(await self._loader.list_versions(self.config.base_path))
            except VolumeError as error:
                self._warn_once(str(error))
            except Exception:
                # Whatever the error is, the next poll may succeed. Raising it would stop the
                # polling.
                logger.exception("polling the versions of model %s failed", self.config.name)
            else:
                self._warn_once("")

    async def settle(self) -> None:
        """Poll, and wait until nothing is left to load."""
        await self.poll()
        while self._loading:
            await asyncio.wait([task for _, task in self._loading.values()])
            await self.poll()

    def stop(self) -> None:
        """Unload every version, and cancel all loading."""
        for _, task in self._loading.values():
            task.cancel()
        for version in self.versions:
            if version.available:
                self._unload(version)

    def _follow(self, on_disk: Mapping[int, Path]) -> None:
        usable = {n: path for n, path in sorted(on_disk.items()) if (n, path) not in self._rejected}
        wanted = self.config.version_policy.select(list(usable))
        for number in wanted:
            if self._is_new(number, usable[number]):
                self._begin_to_load(number, usable[number])
        # If no selected version is available, because they are loading or broken, the current
        # versions stay.
        broken = len(usable) < len(on_disk)
        if any(self.find(number) for number in wanted) or not (wanted or broken):
            for version in self.versions:
                if version.available and version.number not in wanted:
                    self._unload(version)

    def _is_new(self, number: int, path: Path) -> bool:
        if number in self._loading:
            return self._loading[number][0] != path
        version = self._versions.get(number)
        return not (version and version.available and version.path == path)

    def _begin_to_load(self, number: int, path: Path) -> None:
        if number in self._loading:
            self._loading.pop(number)[1].cancel()
        task = asyncio.create_task(
            self._load(number, path), name=f"load {self.config.name} {number}"
        )
        self._loading[number] = (path, task)
        task.add_done_callback(partial(self._loaded, number))

    def _loaded(self, number: int, task: asyncio.Task[None]) -> None:
        if number in self._loading and self._loading[number][1] is task:
            del self._loading[number]

    async def _load(self, number: int, path: Path) -> None:
        version = ServableVersion(self.config.name, number, path)
        previous = self._versions.get(number)
        if previous is None or not previous.available:
            self._versions[number] = version
        self._set_state(version, ModelVersionStatus.START)
        self._set_state(version, ModelVersionStatus.LOADING)
        try:
            version.model = await self._loader.load(self.config.name, path)
        except ModelLoadError as error:
            self._reject(version, error)
        except Exception:
            logger.exception("loading model %s version %d failed", self.config.name, number)
            self._reject(version, ModelLoadError(Code.INTERNAL, "internal error while loading"))
        except asyncio.CancelledError:
            self._set_state(version, ModelVersionStatus.END)
            raise
        else:
            self._versions[number] = version
            self._set_state(version, ModelVersionStatus.AVAILABLE)
            logger.info("model %s version %d is available", self.config.name, number)
            # Unload the replaced version now, not at the next poll.
            await self.poll()

    def _reject(self, version: ServableVersion, error: ModelLoadError) -> None:
        version.error = error
        self._rejected.add((version.number, version.path))
        # A version with this number, from another directory, may be serving.
        if self.find(version.number) is None:
            self._versions[version.number] = version
        self._set_state(version, ModelVersionStatus.END)
        logger.warning(
            "model %s version %d cannot be loaded: %s", self.config.name, version.number, error
        )

    def _unload(self, version: ServableVersion) -> None:
        # Calls in flight hold the model themselves, so it is freed when the last of them ends.
        model, version.model = version.model, None
        self._loader.release(model)
        del model
        self._set_state(version, ModelVersionStatus.END)
        logger.info("model %s version %d was unloaded", self.config.name, version.number)

    def _warn_once(self, warning: str) -> None:
        if warning != self._last_warning and warning:
            logger.warning("model %s: %s", self.config.name, warning)
        self._last_warning = warning

    def _set_state(self, version: ServableVersion, state: "ModelVersionStatus.State") -> None:
        version.state = state
        self._on_change(version)
