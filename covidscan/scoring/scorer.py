"""Scores files through a model server, as the gateway would: in a process, or in a Ray actor."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.http.errors import MissingFileError, ProblemError, UnknownFormatError, UploadTooLargeError
from api.load.caller import Caller
from api.load.client_activity import ClientActivity
from api.load.fair_slots import FairSlots
from api.model_server_credentials import model_server_credentials
from api.observability.metrics import Metrics
from api.prediction.fan_out import IMAGES_TOGETHER, FanOut
from api.prediction.model_cards import ModelCards
from api.prediction.options import PredictionOptions
from api.prediction.predictor import Predictor
from api.prediction.preparation import ImagePreparation
from api.settings import Settings
from covidscan.scoring.nested import archive_kind
from covidscan.scoring.rows import Row, answered, not_read, refused
from covidscan.scoring.source import UNREADABLE, Fault, File
from serving.client import ModelServerClient

_IMAGES_AT_ONCE: Final = 2 * IMAGES_TOGETHER
"""Of one scorer: while some are asked about others are read."""

_CALLER: Final = Caller(request_id="", key_id=None, client="")


@dataclass(frozen=True)
class ScoreOptions:
    """What decides what a row says."""

    settings: Settings
    """Model server, limits and operating point."""
    prediction: PredictionOptions
    """The same for all files."""


class Scorer:
    """Keeps one connection to the model server.

    Args:
        options: the same for all files.
    """

    def __init__(self, options: ScoreOptions) -> None:
        self._options = options
        self._runner = asyncio.Runner()
        self._client, self._preparation, self._predictor = self._runner.run(_parts(options))

    def score(self, files: Sequence[File]) -> list[Row]:
        """The row of each file, in their order."""
        return self._runner.run(self._score(files))

    def close(self) -> None:
        """Close the connection and end the threads."""
        self._preparation.close()
        self._runner.run(self._client.close())
        self._runner.close()

    async def _score(self, files: Sequence[File]) -> list[Row]:
        at_once = asyncio.Semaphore(_IMAGES_AT_ONCE)

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
            detail = error.strerror or "it cannot be read"
            return not_read(file.name, Fault(UNREADABLE, detail, lasting=False))
        try:
            if not data:
                raise MissingFileError("the file is empty")
            if len(data) > limit_bytes:
                raise UploadTooLargeError("the file is larger than COVIDSCAN_MAX_UPLOAD_BYTES")
            answer = await self._predictor.predict(
                Path(file.name).name,
                data,
                self._options.prediction,
                _CALLER,
            )
        except ProblemError as error:
            kind = archive_kind(data)
            if kind is not None and isinstance(error, UnknownFormatError | UploadTooLargeError):
                detail = f"the file is {kind}; unpack it, and score what it holds"
                return not_read(file.name, Fault("nested-archive", detail))
            return refused(file.name, error)
        return answered(file.name, answer)


async def _parts(options: ScoreOptions) -> tuple[ModelServerClient, ImagePreparation, Predictor]:
    # In the loop that will use them: a gRPC channel belongs to the running one.
    settings = options.settings
    if settings.model_server is None:
        raise ValueError("a scorer needs a model server")
    metrics = Metrics(version="", preprocessing="")
    activity = ClientActivity()
    client = ModelServerClient(settings.model_server, model_server_credentials(settings))
    preparation = ImagePreparation.of(settings, metrics, activity, processes=1)
    fan_out = FanOut.of(client, settings, activity)
    predictor = Predictor(
        preparation,
        fan_out,
        ModelCards(settings.models_dir),
        settings,
        metrics=metrics,
        load=FairSlots(_IMAGES_AT_ONCE, shared=_IMAGES_AT_ONCE, activity=activity),
        audit=None,
    )
    return client, preparation, predictor
