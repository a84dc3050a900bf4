"""Runs the service in the foreground: the gateway, and the embedded model server if needed."""

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
from api.settings import Settings
from api.start_errors import NoTemporaryFolderError
from api.training_progress import ModelTraining
from covidscan.service.demo_training import DemoTraining
from covidscan.service.http.descriptors import fit_connections
from covidscan.service.model_server.embedded_process import EmbeddedProcess
from covidscan.service.service_logs import (
    configure_service_logging,
    log_unhandled,
    silence_native_libraries,
)
from covidscan.service.stop_signals import on_stop_signal
from serving import volume
from serving.contract import MODEL_NAMES
from serving.errors import TlsConfigError
from serving.tls import read_tls_file
from system.freed_memory import keep_returning_freed_memory


class PartMissingError(RuntimeError):
    """An optional part of covidscan is needed and not installed."""


async def run_service(settings: Settings) -> None:
    """Serve until SIGINT, SIGTERM, SIGHUP or SIGQUIT. Leaves no process and no file behind.

    Raises:
        PartMissingError: no model server is set or installed, or the tracing SDK is missing.
        ApiKeysError: the API key records cannot be read.
        AuditTrailError: the audit trail cannot be written.
        TlsConfigError: keys or certificates cannot be read, or the peer they are for is not set.
        NoTemporaryFolderError: there is no place for the sockets of the child processes.
    """
    if settings.model_server is None and importlib.util.find_spec("openvino") is None:
        raise PartMissingError(
            "set a model server with --model-server or COVIDSCAN_MODEL_SERVER,"
            " or install the embedded one: pip install 'covidscan[embedded]'"
        )
    if settings.model_server is None and settings.model_server_ca_file is not None:
        raise TlsConfigError("model_server_ca_file is set, but model_server is not")
    if (
        settings.demo
        and volume.missing(settings.models_dir, MODEL_NAMES)
        and importlib.util.find_spec("tensorflow") is None
    ):
        raise PartMissingError("demo models need: pip install 'covidscan[trainer]'")
    if settings.tracing and importlib.util.find_spec("opentelemetry.sdk") is None:
        raise PartMissingError("tracing needs: pip install 'covidscan[tracing]'")
    _check_temporary_folder()
    silence_native_libraries()
    configure_service_logging(settings.log_format)
    asyncio.get_running_loop().set_exception_handler(log_unhandled)
    stop = _Stop()
    on_stop_signal(stop.ask)
    with stop.absorb_cancelled_start():
        await _run_parts(settings, stop)


def _check_temporary_folder() -> None:
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise NoTemporaryFolderError(
            "no temporary folder is writable: mount one at /tmp"
            " (docker run --tmpfs /tmp), or set TMPDIR"
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
    # Imported now, while the model server loads its models: these imports take most of a second.
    from api.app import create_app  # noqa: PLC0415
    from covidscan.service.http.server import HttpServer  # noqa: PLC0415

    for file in (settings.tls_certificate_file, settings.tls_key_file):
        # Read here first: OpenSSL would wait for ever on a FIFO.
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
            "tls_certificate_file and tls_key_file do not hold a certificate and its key as PEM"
        ) from error
    # Everything allocated so far lives until the end. Without this, each full garbage collection
    # would scan it and delay requests by most of a tenth of a second.
    gc.freeze()
    # uvicorn raises a caught signal again after its shutdown. That signal must only repeat the
    # request to stop, not end the process before the model server has been stopped.
    stop.server = server
    returning = asyncio.create_task(keep_returning_freed_memory())
    try:
        await server.serve()
    finally:
        returning.cancel()


class _Stop:
    """Handles a stop signal: cancels the start of the service, or stops its HTTP server."""

    def __init__(self) -> None:
        self.server: uvicorn.Server | None = None
        self._main = asyncio.current_task()
        self._ended_start = False

    def ask(self) -> None:
        """Stop in order. Asking again changes nothing."""
        if self.server is not None:
            self.server.should_exit = True
        elif self._main is not None and not self._ended_start:
            self._ended_start = True
            self._main.cancel()

    @contextmanager
    def absorb_cancelled_start(self) -> Iterator[None]:
        """Absorb the cancellation here, once everything that was started has been stopped."""
        try:
            yield
        except asyncio.CancelledError:
            if not self._ended_start:
                raise


def _announce(listener: socket.socket, settings: Settings) -> None:
    """Print the addresses of the page and the docs."""
    address = _url(listener, https=settings.tls_certificate_file is not None)
    docs = f"  docs  {address}/docs\n" if settings.docs else ""
    typer.echo(f"\n  page  {address}/\n{docs}\n  {DISCLAIMER}\n")


def _url(listener: socket.socket, *, https: bool) -> str:
    host, port = listener.getsockname()[:2]
    if listener.family == socket.AF_INET6:
        host = f"[{host}]"
    return f"http{'s' * https}://{host}:{port}"
