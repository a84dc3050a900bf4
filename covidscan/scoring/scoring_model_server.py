"""Provides the model server for scoring: the given one, or an embedded one of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from api.model_server_connection import ModelServerConnection
from api.settings import Settings
from covidscan.scoring.scoring_run import ScoringError
from covidscan.service.model_server.embedded_process import EmbeddedProcess
from serving.client import ModelServerClient
from serving.contract import MODEL_NAMES
from serving.errors import ModelServerError

_START_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


@asynccontextmanager
async def ready_model_server(settings: Settings) -> AsyncIterator[str]:
    """Yield the address of a model server that has a version of every model.

    Raises:
        ScoringError: a model still has no version after a minute.
        TlsConfigError: keys or certificates cannot be read.
    """
    if settings.model_server is not None:
        await _wait_until_ready(ModelServerConnection.of(settings))
        yield settings.model_server
        return
    async with EmbeddedProcess(
        settings.models_dir, settings.precision, settings.log_format
    ) as process:
        await _wait_until_ready(ModelServerConnection(process.address))
        yield process.address


async def _wait_until_ready(connection: ModelServerConnection) -> None:
    waiting = [*MODEL_NAMES]
    try:
        async with asyncio.timeout(_START_SECONDS), connection.client() as client:
            while waiting:
                if await _is_ready(client, waiting[0]):
                    waiting.pop(0)
                else:
                    await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as error:
        raise ScoringError(
            f"the model server at {connection.address} has no version of {', '.join(waiting)}"
        ) from error


async def _is_ready(client: ModelServerClient, name: str) -> bool:
    try:
        return await client.has_available_version(name, timeout_seconds=_START_SECONDS)
    except ModelServerError:
        return False
