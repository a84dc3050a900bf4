"""The whole service in one foreground process: gateway, and embedded model server if needed."""

import asyncio
import gc
import importlib.util
import socket
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import typer
import uvicorn

from api.about import DISCLAIMER
from api.prediction.model_training import ModelTraining
from api.settings import Settings
from api.start_errors import NoTemporaryFolderError
from covidscan.service.demo_training import DemoTraining
from covidscan.service.descriptors import fit_connections
from covidscan.service.embedded_process import EmbeddedProcess
from covidscan.service.memory_return import return_memory
from covidscan.service.service_logs import (
    configure_service_logging,
    log_unhandled,
    silence_native_libraries,
)
from covidscan.service.stop_signals import on_stop_signal
from serving.errors import TlsConfigError
from serving.tls import read_tls_file


class PartMissingError(RuntimeError):
    """A part of covidscan is needed that is not installed."""


async def run_service(settings: Settings) -> None:
    """Serve until SIGINT, SIGTERM, SIGHUP or SIGQUIT; leaves no process and no file behind.

    Raises:
        PartMissingError: there is no model server to ask, or no SDK to trace with.
        ApiKeysError: the records of API keys cannot be read.
        AuditTrailError: the audit trail cannot be written to.
        TlsConfigError: keys or certificates cannot be read, or there is nobody to show them to.
        NoTemporaryFolderError: there is nowhere to make the sockets of the child processes.
    """
    if settings.model_server is None and importlib.util.find_spec("openvino") is None:
        raise PartMissingError(
            "name a model server with --model-server or COVIDSCAN_MODEL_SERVER,"
            " or install the embedded one: pip install 'covidscan[embedded]'"
        )
    if settings.model_server is None and settings.model_server_ca_file is not None:
        raise TlsConfigError("model_server_ca_file needs the model_server whose authority it is")
    if (
        settings.demo
        and DemoTraining.missing(settings.models_dir)
        and importlib.util.find_spec("tensorflow") is None
    ):
        raise PartMissingError("demo models need: pip install 'covidscan[trainer]'")
    if settings.tracing and importlib.util.find_spec("opentelemetry.sdk") is None:
        raise PartMissingError("tracing needs: pip install 'covidscan[tracing]'")
    _need_temporary_folder()
    silence_native_libraries()
    configure_service_logging(settings.log_format)
    asyncio.get_running_loop().set_exception_handler(log_unhandled)
    stop = _Stop()
    on_stop_signal(stop.ask)
    with stop.ends_the_start():
        await _run_parts(settings, stop)


def _need_temporary_folder() -> None:
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise NoTemporaryFolderError(
            "no folder for temporary files can be written to: mount one at /tmp"
            " (docker run --tmpfs /tmp), or name one in TMPDIR"
        ) from error


async def _run_parts(settings: Settings, stop: "_Stop") -> None:
    async with AsyncExitStack() as stack:
        if settings.tracing:
            from covidscan.service.tracing import configure_tracing  # noqa: PLC0415 - an extra

            stack.push_async_callback(asyncio.to_thread, configure_tracing().shutdown)
        training = ModelTraining()
        if settings.model_server is None:
            embedded = await stack.enter_async_context(
                EmbeddedProcess(settings.models_dir, settings.precision, settings.log_format)
            )
            settings = settings.model_copy(update={"model_server": embedded.address})
        if settings.demo:
            await stack.enter_async_context(
                DemoTraining(settings.models_dir, settings.log_format, training)
            )
        await _run_gateway(settings, training, stop)


async def _run_gateway(settings: Settings, training: ModelTraining, stop: "_Stop") -> None:
    # Only now, while the model server loads its models: these take most of a second.
    from api.app import create_app  # noqa: PLC0415
    from covidscan.service.http_server import HttpServer  # noqa: PLC0415

    for file in (settings.tls_certificate_file, settings.tls_key_file):
        # Read here first: OpenSSL would wait for a FIFO for ever.
        if file is not None:
            read_tls_file(file)
    fitting = fit_connections(settings.max_connections)
    settings = settings.model_copy(update={"max_connections": fitting})
    server = HttpServer(
        create_app(settings, training),
        settings,
        on_start=lambda listener: _announce(listener, settings),
    )
    try:
        server.config.load()
    except OSError as error:
        raise TlsConfigError(
            "tls_certificate_file and tls_key_file are not a certificate and its key, in PEM"
        ) from error
    # All that is there by now stays until the end. To look through it for garbage, as happens from
    # time to time, would hold every request up for most of a tenth of a second.
    gc.freeze()
    # uvicorn raises a caught signal again once it has shut down. That one only asks once more for
    # what is done, and does not end the process before the model server has been stopped.
    stop.server = server
    returning = asyncio.create_task(return_memory())
    try:
        await server.serve()
    finally:
        returning.cancel()


class _Stop:
    """What a signal stops: the start of the service, and once there is one its HTTP server."""

    def __init__(self) -> None:
        self.server: uvicorn.Server | None = None
        self._main = asyncio.current_task()
        self._ended_start = False

    def ask(self) -> None:
        """Stop, in order; to be asked again changes nothing."""
        if self.server is not None:
            self.server.should_exit = True
        elif self._main is not None and not self._ended_start:
            self._ended_start = True
            self._main.cancel()

    @contextmanager
    def ends_the_start(self) -> Iterator[None]:
        """Let the cancellation end here, once all that had been started has been stopped."""
        try:
            yield
        except asyncio.CancelledError:
            if not self._ended_start:
                raise


def _announce(listener: socket.socket, settings: Settings) -> None:
    """Print where the page and the docs are."""
    address = _url(listener, https=settings.tls_certificate_file is not None)
    docs = f"  docs  {address}/docs\n" if settings.docs else ""
    typer.echo(f"\n  page  {address}/\n{docs}\n  {DISCLAIMER}\n")


def _url(listener: socket.socket, *, https: bool) -> str:
    host, port = listener.getsockname()[:2]
    if listener.family == socket.AF_INET6:
        host = f"[{host}]"
    return f"http{'s' * https}://{host}:{port}"
