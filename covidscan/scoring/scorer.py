"""Scores files through a model server as the gateway would, in a process or a Ray actor."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.composition import Core
from api.fair_sharing.caller import Caller
from api.fair_sharing.client_activity import ClientActivity
from api.fair_sharing.errors import OverloadedError
from api.fair_sharing.fair_slots import FairSlots
from api.model_server_connection import ModelServerConnection
from api.observability.metrics import Metrics
from api.prediction.errors import PredictionError, RejectedImageError
from api.prediction.fan_out import IMAGES_AT_ONCE
from api.prediction.options import PredictionOptions
from api.settings import Settings
from covidscan.scoring.archive_kind import archive_kind
from covidscan.scoring.rows import Row, answered, failed, not_read, rejected
from covidscan.scoring.source import UNREADABLE, Fault, File
from imaging.errors import ImageError, UnknownImageFormatError

_CALLER: Final = Caller(request_id="", key_id=None, client="")


@dataclass(frozen=True)
class ScoreOptions:
    """Everything that determines the content of a row."""

    settings: Settings
    """Model server, limits and operating point."""
    prediction: PredictionOptions
    """The same for all files."""


class Scorer:
    """Scores files over one connection to the model server.

    Args:
        options: the same for all files.
    """

    def __init__(self, options: ScoreOptions) -> None:
        self._options = options
        self._runner = asyncio.Runner()
        self._core = self._runner.run(_build_core(options.settings))

    def score(self, files: Sequence[File]) -> list[Row]:
        """Return one row per file, in the same order."""
        return self._runner.run(self._score(files))

    def close(self) -> None:
        """Close the connection and end the threads."""
        self._runner.run(self._core.close())
        self._runner.close()

    async def _score(self, files: Sequence[File]) -> list[Row]:
        at_once = asyncio.Semaphore(IMAGES_AT_ONCE)

        async def score(file: File) -> Row:
            async with at_once:
                return await self._score_one(file)

        return list(await asyncio.gather(*(score(file) for file in files)))

    async def _score_one(self, file: File) -> Row:
        if file.fault is not None:
            return not_read(file.name, file.fault)
        limit_bytes = self._options.settings.max_upload_bytes
        try:
            data = await asyncio.to_thread(file.read, limit_bytes)
        except OSError as error:
            detail = error.strerror or "the file cannot be read"
            return not_read(file.name, Fault(UNREADABLE, detail, lasting=False))
        fault = _size_fault(data, limit_bytes)
        return not_read(file.name, fault) if fault else await self._predict(file.name, data)

    async def _predict(self, name: str, data: bytes) -> Row:
        try:
            answer = await self._core.predictor.predict(
                Path(name).name, data, self._options.prediction, _CALLER
            )
        except (ImageError, RejectedImageError) as error:
            archive = archive_kind(data)
            if archive is not None and isinstance(error, UnknownImageFormatError):
                return not_read(name, _nested(archive))
            return rejected(name, error)
        except (PredictionError, OverloadedError) as error:
            return failed(name, error)
        return answered(name, answer)


def _size_fault(data: bytes, limit_bytes: int) -> Fault | None:
    if not data:
        return Fault("missing-file", "the file is empty")
    if len(data) > limit_bytes:
        archive = archive_kind(data)
        if archive is not None:
            return _nested(archive)
        return Fault("too-large", "the file is larger than COVIDSCAN_MAX_UPLOAD_BYTES")
    return None


def _nested(kind: str) -> Fault:
    return Fault("nested-archive", f"the file is {kind}; unpack it and score its contents")


async def _build_core(settings: Settings) -> Core:
    # Must run in the event loop that will use it.
    activity = ClientActivity()
    return Core.build(
        settings,
        ModelServerConnection.of(settings),
        metrics=Metrics(version="", preprocessing=""),
        image_slots=FairSlots(
            IMAGES_AT_ONCE, max_per_busy_client=IMAGES_AT_ONCE, activity=activity
        ),
        activity=activity,
        decode_processes=1,
    )
