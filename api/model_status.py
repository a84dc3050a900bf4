"""What is known of the models: the model server's states joined with the volume's cards."""

import asyncio
import re
import time
from typing import Final

from api.model_call import failure_status
from api.model_cards import ModelCards
from api.schemas.models import ModelInfo, VersionInfo
from api.schemas.prediction import ModelAnswerStatus
from api.settings import Settings
from serving.client import ModelServerClient, VersionState, VersionStatus
from serving.contract import MODEL_NAMES
from serving.errors import ModelServerError

_FOLDERS: Final = re.compile(r"(?<![\w.-])/(?:[^\s/:;'\"]+/)*")
"""Of absolute paths, which a model server's reasons quote, all but the last part."""

_RECENT_SECONDS: Final = 0.25


class ModelStatusReader:
    """Tells the state of every model.

    Args:
        client: the model server.
        cards: what is known of the versions.
        settings: the deadline.
    """

    def __init__(self, client: ModelServerClient, cards: ModelCards, settings: Settings) -> None:
        self._client = client
        self._cards = cards
        self._timeout_seconds = settings.status_timeout_seconds
        self._recent: asyncio.Future[list[ModelInfo]] | None = None
        self._asked = 0.0

    async def read_all(self) -> list[ModelInfo]:
        """Every model of the contract, in its order."""
        return await asyncio.gather(*(self._read(name) for name in MODEL_NAMES))

    async def read_recent(self) -> list[ModelInfo]:
        """The same, up to a quarter of a second old.

        For questions that anybody may ask as often as they like: to ask the model server costs some
        7 ms of the processor.
        """
        now = time.monotonic()
        if self._recent is None or (self._recent.done() and now - self._asked >= _RECENT_SECONDS):
            self._asked = now
            self._recent = asyncio.ensure_future(self.read_all())
        # Others wait for the same answer, even if whoever asked first goes away.
        return await asyncio.shield(self._recent)

    async def _read(self, name: str) -> ModelInfo:
        try:
            statuses = await self._client.version_statuses(
                name, timeout_seconds=self._timeout_seconds
            )
            status = ModelAnswerStatus.OK
        except ModelServerError as error:
            statuses, status = [], failure_status(error)
        versions = [await self._version_info(name, version) for version in statuses]
        available = [v for v in versions if v.state == VersionState.AVAILABLE.name]
        if status is ModelAnswerStatus.OK and not available:
            status = ModelAnswerStatus.NOT_AVAILABLE
        return ModelInfo(
            name=name,
            available=bool(available),
            serving_version=available[0].version if available else None,
            status=status,
            demo=available[0].demo if available else None,
            versions=versions,
        )

    async def _version_info(self, name: str, status: VersionStatus) -> VersionInfo:
        card = await self._cards.get(name, status.version)
        return VersionInfo(
            version=status.version,
            state=status.state.name,
            error=_FOLDERS.sub("", status.error) or None,
            demo=card.demo if card else None,
            created_at=card.created_at if card else None,
            metrics=card.metrics if card else None,
        )
