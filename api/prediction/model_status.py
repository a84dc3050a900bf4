"""The state of the models: the model server's states, joined with the model cards."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.prediction.model_call import failure_status
from api.prediction.model_cards import ModelCards
from api.prediction.results import ModelStatus
from api.prediction.retry import with_one_retry
from api.settings import Settings
from serving.client import ModelServerClient, VersionState, VersionStatus
from serving.contract import MODEL_NAMES
from serving.errors import ModelServerError

_READY_SECONDS: Final = 1.0
"""How long the states are cached if every model has an available version."""
_NOT_READY_SECONDS: Final = 0.2
"""The same if one does not, so that its start is noticed soon."""

_FOLDERS: Final = re.compile(r"(?<![\w.-])/(?:[^\s/:;'\"]+/)*")
"""The folders of absolute paths in a model server's error messages."""


@dataclass(frozen=True)
class VersionDescription:
    """One version of a model; fields from its card are None if the card cannot be read."""

    version: int
    state: str
    """As TensorFlow Serving names it."""
    error: str | None
    demo: bool | None
    created_at: str | None
    metrics: Mapping[str, float] | None


@dataclass(frozen=True)
class ModelDescription:
    """One model and the versions that the model server knows, newest first."""

    name: str
    available: bool
    serving_version: int | None
    status: ModelStatus
    demo: bool | None
    versions: Sequence[VersionDescription]


@dataclass(frozen=True)
class _ModelState:
    """A model's state on the model server."""

    name: str
    status: ModelStatus
    versions: Sequence[VersionStatus]

    @property
    def available(self) -> list[VersionStatus]:
        """The versions that answer predictions, newest first."""
        return [version for version in self.versions if version.is_available]

    @property
    def readiness(self) -> ModelStatus:
        """``OK`` if a version is available."""
        if self.status is ModelStatus.OK and not self.available:
            return ModelStatus.NOT_AVAILABLE
        return self.status


class ModelStatusReader:
    """Reads the state of every model.

    Concurrent callers share one query to the model server, and its result is cached for a moment:
    anyone may call ``/readyz`` as often as they like.

    Args:
        client: the model server.
        cards: the model cards of the versions.
        settings: give the deadline and the path of the volume.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        client: ModelServerClient,
        cards: ModelCards,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._cards = cards
        self._timeout_seconds = settings.status_timeout_seconds
        self._volume = f"{settings.models_dir.absolute()}/"
        self._clock = clock
        self._states: Sequence[_ModelState] = ()
        self._fresh_until = float("-inf")
        self._asking: asyncio.Task[Sequence[_ModelState]] | None = None

    async def readiness(self) -> dict[str, ModelStatus]:
        """For each model of the contract: ``OK``, or why no version is available."""
        return {state.name: state.readiness for state in await self._ask_once()}

    async def read_all(self) -> list[ModelDescription]:
        """Every model of the contract, in its order."""
        return await asyncio.gather(*(self._info(state) for state in await self._ask_once()))

    async def _ask_once(self) -> Sequence[_ModelState]:
        if self._asking is None:
            if self._clock() < self._fresh_until:
                return self._states
            self._asking = asyncio.create_task(self._ask_all(), name="ask for model states")
        # Shielded, because other requests may wait for the same query when this one is cancelled.
        return await asyncio.shield(self._asking)

    async def _ask_all(self) -> Sequence[_ModelState]:
        asked = self._clock()
        try:
            self._states = await asyncio.gather(*(self._ask(name) for name in MODEL_NAMES))
        finally:
            self._asking = None
        ready = all(state.available for state in self._states)
        self._fresh_until = asked + (_READY_SECONDS if ready else _NOT_READY_SECONDS)
        return self._states

    async def _ask(self, name: str) -> _ModelState:
        try:
            versions = await with_one_retry(
                lambda left_seconds: self._client.version_statuses(
                    name, timeout_seconds=left_seconds
                ),
                timeout_seconds=self._timeout_seconds,
            )
        except ModelServerError as error:
            return _ModelState(name, failure_status(error), ())
        return _ModelState(name, ModelStatus.OK, versions)

    async def _info(self, state: _ModelState) -> ModelDescription:
        versions = await asyncio.gather(
            *(self._version_info(state.name, version) for version in state.versions)
        )
        available = [v for v in versions if v.state == VersionState.AVAILABLE.name]
        return ModelDescription(
            name=state.name,
            available=bool(available),
            serving_version=available[0].version if available else None,
            status=state.readiness,
            demo=available[0].demo if available else None,
            versions=versions,
        )

    async def _version_info(self, name: str, status: VersionStatus) -> VersionDescription:
        card = await self._cards.get(name, status.version)
        return VersionDescription(
            version=status.version,
            state=status.state.name,
            error=self._without_folders(status.error) or None,
            demo=card.demo if card else None,
            created_at=card.created_at if card else None,
            metrics=card.metrics if card else None,
        )

    def _without_folders(self, reason: str) -> str:
        # The volume's path first: it may contain spaces, which would end a path for the pattern.
        return _FOLDERS.sub("", reason.replace(self._volume, "/"))
