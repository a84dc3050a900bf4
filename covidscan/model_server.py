"""The embedded model server as a process: from start to the signal that ends it."""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import disable_created_metrics, start_http_server

from serving.embedded.errors import CallError
from serving.embedded.metrics import Metrics
from serving.embedded.options import ModelServerOptions
from serving.embedded.server import EmbeddedModelServer
from serving.errors import ModelConfigError
from serving.model_config import ModelConfig, read_model_configs

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the process does beside serving."""

    metrics_address: tuple[str, int] | None = None
    """Where Prometheus reads."""
    config_file: Path | None = None
    """A models.config that is read again, and served where it has changed."""
    config_poll_seconds: float = 0.0
    """Pause between two looks at it; 0 is never."""
    exit_with_stdin: bool = False
    """Whether to stop when standard input is closed."""


async def run_model_server(
    configs: Sequence[ModelConfig],
    address: str,
    options: ModelServerOptions,
    surroundings: Surroundings,
) -> None:
    """Serve until SIGINT or SIGTERM, or, if asked, until standard input is closed.

    Raises:
        RuntimeError: the address cannot be bound.
        OSError: the address of the metrics cannot be bound.
        ModelConfigError: a label names a version that is not loaded yet.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    if surroundings.exit_with_stdin:
        await _stop_with_stdin(stop)
    async with (
        EmbeddedModelServer(configs, address, options) as server,
        _telling_prometheus(server.metrics, surroundings.metrics_address),
        _following_config(server, surroundings),
    ):
        logger.info("the model server listens on %s", server.address)
        await stop.wait()
        logger.info("the model server stops")


async def _stop_with_stdin(stop: asyncio.Event) -> None:
    class _Watcher(asyncio.Protocol):
        def connection_lost(self, _: Exception | None) -> None:
            stop.set()

    await asyncio.get_running_loop().connect_read_pipe(_Watcher, sys.stdin)


@contextlib.asynccontextmanager
async def _telling_prometheus(
    metrics: Metrics, address: tuple[str, int] | None
) -> AsyncIterator[None]:
    if address is None:
        yield
        return
    host, port = address
    disable_created_metrics()  # type: ignore[no-untyped-call]
    http_server, _ = start_http_server(port, host, metrics.registry)
    logger.info("metrics are at http://%s:%d/metrics", host, http_server.server_port)
    try:
        yield
    finally:
        await asyncio.to_thread(http_server.shutdown)
        http_server.server_close()


@contextlib.asynccontextmanager
async def _following_config(
    server: EmbeddedModelServer, surroundings: Surroundings
) -> AsyncIterator[None]:
    if surroundings.config_file is None or not surroundings.config_poll_seconds:
        yield
        return
    following = asyncio.create_task(
        _follow_config(server, surroundings.config_file, surroundings.config_poll_seconds)
    )
    try:
        yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _follow_config(server: EmbeddedModelServer, path: Path, poll_seconds: float) -> None:
    known = await asyncio.to_thread(path.read_bytes)
    while True:
        await asyncio.sleep(poll_seconds)
        try:
            found = await asyncio.to_thread(path.read_bytes)
            if found != known:
                known = found
                await server.reload(await asyncio.to_thread(read_model_configs, path))
                logger.info("%s has changed and is followed", path)
        except OSError as error:
            logger.warning("%s cannot be read: %s", path, error.strerror)
        except (ModelConfigError, CallError) as error:
            logger.warning("%s has changed and is refused: %s", path, error)
