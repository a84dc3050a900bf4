"""The whole service in one foreground process: gateway, and embedded model server if needed."""

import asyncio
import importlib.util
import signal
import socket
from contextlib import AsyncExitStack
from typing import Final

import typer
import uvicorn

from api.about import DISCLAIMER
from api.app import create_app
from api.settings import Settings
from covidscan.embedded_process import EmbeddedProcess
from covidscan.logs import configure_logging
from serving.errors import TlsConfigError

GRACE_SECONDS: Final = 2
"""How long requests in flight may take when the service stops."""


class EmbeddedServerMissingError(RuntimeError):
    """No model server is named and the embedded one is not installed."""


async def run_service(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; leaves no process behind.

    Raises:
        EmbeddedServerMissingError: there is no model server to ask.
        TlsConfigError: keys or certificates cannot be read, or there is nobody to show them to.
    """
    if settings.model_server is None and importlib.util.find_spec("openvino") is None:
        raise EmbeddedServerMissingError(
            "name a model server with --model-server or COVIDSCAN_MODEL_SERVER,"
            " or install the embedded one: pip install 'covidscan[embedded]'"
        )
    if settings.model_server is None and settings.model_server_ca_file is not None:
        raise TlsConfigError("model_server_ca_file needs the model_server whose authority it is")
    configure_logging()
    async with AsyncExitStack() as stack:
        if settings.model_server is None:
            embedded = await stack.enter_async_context(EmbeddedProcess(settings.models_dir))
            settings = settings.model_copy(update={"model_server": embedded.address})
        await _run_gateway(settings)


async def _run_gateway(settings: Settings) -> None:
    server = _AnnouncingServer(
        uvicorn.Config(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            timeout_graceful_shutdown=GRACE_SECONDS,
            server_header=False,
        )
    )
    # uvicorn raises a caught signal again once it has shut down. Handled here, it does not end the
    # process before the model server has been stopped.
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, lambda: None)
    await server.serve()


class _AnnouncingServer(uvicorn.Server):
    """Prints where the page and the docs are, once they are there."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            address = _url(self.servers[0].sockets[0])
            typer.echo(f"\n  page  {address}/\n  docs  {address}/docs\n\n  {DISCLAIMER}\n")


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return (
        f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"
    )
