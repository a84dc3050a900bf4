"""Runs servers on loopback, each in a thread with its own event loop."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import TypeVar

from serving.client import ModelServerClient
from serving.embedded.options import ModelServerOptions
from serving.embedded.server import EmbeddedModelServer
from serving.volume.model_config import ModelConfig, default_model_configs

T = TypeVar("T")


@contextmanager
def in_thread(make: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """Keep an async context manager open in another thread."""
    started, finished = threading.Event(), asyncio.Event()
    result: list[T] = []
    failure: list[BaseException] = []
    loop = asyncio.new_event_loop()

    async def run() -> None:
        async with make() as value:
            result.append(value)
            started.set()
            await finished.wait()

    def main() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(run())
        except BaseException as error:  # noqa: BLE001 - re-raised in the thread of the test
            failure.append(error)
        finally:
            loop.close()
            started.set()

    thread = threading.Thread(target=main)
    thread.start()
    started.wait(30)
    try:
        if failure:
            raise failure[0]
        yield result[0]
    finally:
        if not failure:
            loop.call_soon_threadsafe(finished.set)
        thread.join(30)
    if failure:
        raise failure[0]


@contextmanager
def embedded_model_server(
    configs: Sequence[ModelConfig], options: ModelServerOptions
) -> Iterator[str]:
    """Run an embedded model server; yields its address."""
    with in_thread(lambda: EmbeddedModelServer(configs, "127.0.0.1:0", options)) as server:
        yield server.address


def predictions_in_progress(server: EmbeddedModelServer) -> int:
    """Count the predictions that a server has started and not finished."""
    gauge = "covidscan_model_server_requests_in_progress"
    return int(server.metrics.registry.get_sample_value(gauge, {"method": "Predict"}) or 0)


@contextmanager
def model_server(models_dir: Path) -> Iterator[str]:
    """Run an embedded model server on a volume of the contract's models; yields its address."""
    options = ModelServerOptions(poll_seconds=0.05, load_retries=0)
    with embedded_model_server(default_model_configs(models_dir), options) as address:
        yield address


def free_port() -> int:
    """Find a port that is free on every address of this machine."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        port: int = probe.getsockname()[1]
        return port


def ask(address: str, make_call: Callable[[ModelServerClient], Awaitable[T]]) -> T:
    """Call a model server through the gateway's own client."""

    async def run() -> T:
        async with ModelServerClient(address) as client:
            return await make_call(client)

    return asyncio.run(run())
