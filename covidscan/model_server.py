"""The embedded model server as a process: from start to the signal that ends it."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence

from serving.embedded.server import EmbeddedModelServer
from serving.model_config import ModelConfig

logger = logging.getLogger(__name__)


async def run_model_server(
    configs: Sequence[ModelConfig],
    address: str,
    *,
    precision: str,
    poll_seconds: float,
    exit_with_stdin: bool,
) -> None:
    """Serve until SIGINT or SIGTERM, or, if asked, until standard input is closed.

    Raises:
        RuntimeError: the address cannot be bound.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)
    if exit_with_stdin:
        await _stop_with_stdin(stop)
    async with EmbeddedModelServer(
        configs, address, precision=precision, poll_seconds=poll_seconds
    ) as server:
        logger.info("the model server listens on %s", server.address)
        await stop.wait()
        logger.info("the model server stops")


async def _stop_with_stdin(stop: asyncio.Event) -> None:
    class _Watcher(asyncio.Protocol):
        def connection_lost(self, _: Exception | None) -> None:
            stop.set()

    await asyncio.get_running_loop().connect_read_pipe(_Watcher, sys.stdin)
