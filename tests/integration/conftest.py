"""Real servers on loopback, each in a thread with an event loop of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.settings import Settings
from serving.embedded.options import ModelServerOptions
from serving.embedded.server import EmbeddedModelServer
from serving.model_config import default_model_configs
from tests.service_process import wait_until

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
        except BaseException as error:  # noqa: BLE001 - raised again by the test's thread
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
def model_server(models_dir: Path) -> Iterator[str]:
    """An embedded model server over a volume; gives its address."""
    configs = default_model_configs(models_dir)
    options = ModelServerOptions(poll_seconds=0.05, load_retries=0)
    with in_thread(lambda: EmbeddedModelServer(configs, "127.0.0.1:0", options)) as server:
        yield server.address


@contextmanager
def gateway(settings: Settings) -> Iterator[httpx.Client]:
    """A gateway; gives a client of it."""
    with (
        in_thread(lambda: _uvicorn(settings)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        yield client


@asynccontextmanager
async def _uvicorn(settings: Settings) -> AsyncIterator[int]:
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="warning"))
    # Signals belong to the main thread, where the tests run.
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@pytest.fixture
def tiny_service(tiny_volume: Path) -> Iterator[httpx.Client]:
    """The whole service over tiny models, ready."""
    with model_server(tiny_volume) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=tiny_volume)
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz").status_code == 200)
            yield client
