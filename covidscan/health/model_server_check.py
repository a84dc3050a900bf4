"""Checks whether the models of the configured model server have available versions."""

import asyncio

from api.model_server_connection import ModelServerConnection
from api.settings import Settings
from covidscan.health.gateway_check import UnhealthyError
from serving.client import ModelServerClient
from serving.contract import MODEL_NAMES
from serving.errors import ModelServerError


async def check_model_server(settings: Settings, *, strict: bool, timeout_seconds: float) -> str:
    """Check which models have an available version; return a line that describes the result.

    Args:
        settings: the model server's address, and how many models must answer (the quorum).
        strict: require all models.
        timeout_seconds: for each model. All are queried at the same time.

    Raises:
        UnhealthyError: too few models have an available version.
        TlsConfigError: keys or certificates for the connection cannot be read.
    """
    if settings.model_server is None:
        raise UnhealthyError(
            "COVIDSCAN_MODEL_SERVER is not set: the embedded model server is private;"
            " check the gateway with --ready instead"
        )
    connection = ModelServerConnection.of(settings)
    async with connection.client() as client:
        states = await asyncio.gather(
            *(_state(client, name, timeout_seconds) for name in MODEL_NAMES)
        )
    if len(set(states)) == 1:
        summary = f"all models {states[0]}"
    else:
        by_name = zip(MODEL_NAMES, states, strict=True)
        summary = ", ".join(f"{name} {state}" for name, state in by_name)
    line = f"model server {connection.address}: {summary}"
    if states.count("ok") < (len(MODEL_NAMES) if strict else settings.quorum):
        raise UnhealthyError(line)
    return line


async def _state(client: ModelServerClient, name: str, timeout_seconds: float) -> str:
    try:
        available = await client.has_available_version(name, timeout_seconds=timeout_seconds)
    except ModelServerError as error:
        return str(error)
    return "ok" if available else "without an available version"
