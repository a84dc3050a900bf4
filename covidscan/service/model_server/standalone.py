"""Runs the embedded model server as a process, from start to stop signal."""

import asyncio
import contextlib
import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import disable_created_metrics, start_http_server

from covidscan.service.stop_signals import on_stop_signal
from serving.embedded.errors import CallError
from serving.embedded.metrics import Metrics
from serving.embedded.options import ModelServerOptions
from serving.embedded.server import EmbeddedModelServer
from serving.errors import ModelConfigError
from serving.volume.model_config import ModelConfig
from system.deadlines import DeadlineThreads

logger = logging.getLogger(__name__)

_CONFIG_SECONDS: Final = 10.0
"""Timeout for reading models.config, which may lie on a mount that hangs."""


@dataclass(frozen=True, kw_only=True)
class ProcessOptions:
    """What the process does besides serving."""

    metrics_address: tuple[str, int] | None = None
    """Where Prometheus scrapes metrics."""
    read_configs: Callable[[], Sequence[ModelConfig]] | None = None
    """Reads the models to serve again, to pick up changes."""
    config_poll_seconds: float = 1.0
    """Pause between two reads."""
    exit_with_stdin: bool = False
    """Whether to stop when standard input is closed."""


async def run_model_server(
    configs: Sequence[ModelConfig],
    address: str,
    options: ModelServerOptions,
    process_options: ProcessOptions,
) -> None:
    """Serve until SIGINT, SIGTERM, SIGHUP or SIGQUIT, or, if requested, until stdin is closed.

    Raises:
        RuntimeError: the address cannot be bound.
        OSError: the metrics address cannot be bound.
        ModelConfigError: a label names a version that is not loaded yet.
    """
    stop = asyncio.Event()
    on_stop_signal(stop.set)
    if process_options.exit_with_stdin:
        await _stop_with_stdin(stop)
    async with (
        EmbeddedModelServer(configs, address, options) as server,
        _serving_metrics(server.metrics, process_options.metrics_address),
        _following_config(server, configs, process_options),
    ):
        # Everything allocated so far lives until the end; scanning it for garbage delays calls.
        gc.freeze()
        logger.info("the model server listens on %s", server.address)
        await stop.wait()
        logger.info("the model server stops")


async def _stop_with_stdin(stop: asyncio.Event) -> None:
    class _Watcher(asyncio.Protocol):
        def connection_lost(self, _: Exception | None) -> None:
            stop.set()

    await asyncio.get_running_loop().connect_read_pipe(_Watcher, sys.stdin)


@contextlib.asynccontextmanager
async def _serving_metrics(
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
    server: EmbeddedModelServer, configs: Sequence[ModelConfig], process_options: ProcessOptions
) -> AsyncIterator[None]:
    if process_options.read_configs is None:
        yield
        return
    following = asyncio.create_task(
        _follow_config(
            server, configs, process_options.read_configs, process_options.config_poll_seconds
        ),
        name="follow models.config",
    )
    try:
        yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _follow_config(
    server: EmbeddedModelServer,
    served: Sequence[ModelConfig],
    read_configs: Callable[[], Sequence[ModelConfig]],
    poll_seconds: float,
) -> None:
    complaint = ""
    reader = DeadlineThreads("config", threads=1, seconds=_CONFIG_SECONDS)
    while True:
        await asyncio.sleep(poll_seconds)
        try:
            configs = await reader.call(read_configs)
            if configs != served:
                await server.reload(configs)
                served, complaint = configs, ""
                logger.info("applied the changed models.config")
        except (ModelConfigError, CallError, TimeoutError) as error:
            # Retried at the next read: a version that a label names may be loaded by then.
            if str(error) != complaint:
                complaint = str(error)
                logger.warning("models.config cannot be applied: %s", error)
        except Exception:
            logger.exception("following models.config failed")
