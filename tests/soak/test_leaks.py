"""Thousands of requests of all kinds leak neither memory, threads, files nor tasks."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from api.settings import Settings
from tests.integration.conftest import uvicorn_server
from tests.processes import model_server_of, open_files, usage
from tests.servers import in_thread, model_server
from tests.service_process import running_service, wait_until
from tests.soak.metrics import metric
from tests.soak.raw_clients import form, head, send_and_disconnect

CLIENTS = 4

WARM_UP_REQUESTS = 600
"""After these, thread pools, arenas of allocators and caches have reached their final size."""

MEMORY_MARGIN_MIB = 8
"""Measured after 20,000 requests: 1.9 MiB more in the gateway, and 12 MiB less in the model server,
which frees memory that loading took. So the short run detects a leak of 6 KB a request, and the
long run one of 0.4 KB."""

THREADS_MARGIN = 4
"""Measured: 2. Thread pools grow with the concurrency that occurs, up to their limits."""

pytestmark = pytest.mark.soak

Send = Callable[[httpx.Client], int]
Kinds = dict[str, tuple[Send, int]]


@pytest.fixture(scope="module")
def noise_png() -> bytes:
    """An incompressible image, 190 KB: if uploads are kept, the memory soon shows it."""
    noise = np.random.default_rng(0).integers(0, 256, (250, 250, 3), np.uint8)
    return bytes(cv2.imencode(".png", noise)[1])


@pytest.fixture(scope="module")
def kinds(noise_png: bytes) -> Kinds:
    """By kind of request, a function that sends it, and the expected status; 0 if none."""

    def file(data: bytes, path: str = "/predict?force=true", field: str = "file") -> Send:
        return lambda client: client.post(path, files={field: ("a.png", data)}).status_code

    def batch(client: httpx.Client) -> int:
        files = [("files", (f"{i}.png", noise_png)) for i in range(3)]
        return client.post("/predict/batch?force=true", files=files).status_code

    def disconnect_after(sent: bytes, *, reset: bool) -> Send:
        def send(client: httpx.Client) -> int:
            send_and_disconnect(str(client.base_url), sent, reset=reset)
            return 0

        return send

    whole = form(noise_png)
    return {
        "good": (file(noise_png), 200),
        "batch": (batch, 200),
        "damaged": (file(noise_png[: len(noise_png) // 2]), 422),
        "unknown format": (file(b"no image" * 1000), 415),
        "empty": (file(b""), 422),
        "no file": (lambda client: client.post("/predict").status_code, 422),
        "no such path": (lambda client: client.get("/nosuch").status_code, 404),
        "wrong method": (lambda client: client.get("/predict").status_code, 405),
        "page": (lambda client: client.get("/").status_code, 200),
        "models": (lambda client: client.get("/models").status_code, 200),
        "metrics": (lambda client: client.get("/metrics").status_code, 200),
        "disconnect in the body": (
            disconnect_after(head(len(whole)) + whole[: len(whole) // 2], reset=True),
            0,
        ),
        "disconnect before the response": (
            disconnect_after(head(len(whole)) + whole, reset=False),
            0,
        ),
    }


def send_many(address: str, kinds: Kinds, count: int) -> Counter[str]:
    """Send requests of all kinds in random order from several clients, and check their statuses."""

    def send_some(seed: int) -> Counter[str]:
        rng, sent = random.Random(seed), Counter[str]()  # noqa: S311
        with httpx.Client(base_url=address, timeout=30) as client:
            for name in rng.choices(list(kinds), k=count // CLIENTS):
                send, status = kinds[name]
                assert send(client) == status, name
                sent[name] += 1
        return sent

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(send_some, range(CLIENTS)), Counter[str]())


@pytest.mark.timeout(3000)
def test_memory_threads_and_open_files_of_both_processes_do_not_grow(
    tiny_volume: Path, kinds: Kinds, soak: bool, prove: Callable[[str], None]
):
    count = 20_000 if soak else 1_500
    log = tiny_volume.with_name("service.log")
    with running_service(tiny_volume, log=log) as (process, address):
        model_server_pid = model_server_of(process.pid)
        pids = {"gateway": process.pid, "model server": model_server_pid}
        send_many(address, kinds, WARM_UP_REQUESTS)
        wait_until(lambda: is_idle(address))
        before = {part: usage(pid) for part, pid in pids.items()}
        sent = send_many(address, kinds, count)
        wait_until(lambda: is_idle(address))
        for part, pid in pids.items():
            wait_until(lambda part=part, pid=pid: open_files(pid) <= before[part].open_files)
        after = {part: usage(pid) for part, pid in pids.items()}
    assert sent.keys() == kinds.keys()
    for part in pids:
        grown_mib = after[part].memory_mib - before[part].memory_mib
        assert grown_mib < MEMORY_MARGIN_MIB, part
        assert after[part].threads <= before[part].threads + THREADS_MARGIN, part
        prove(
            f"{sent.total()} requests of {len(sent)} kinds, {part}: {before[part]}, {after[part]}"
        )


def is_idle(address: str) -> bool:
    """Whether only this request for the metrics is in progress."""
    return metric(address, "requests_in_progress") == 1


def test_no_task_of_the_gateway_outlives_its_request(tiny_volume: Path, kinds: Kinds):
    with model_server(tiny_volume) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=tiny_volume)
        with in_thread(lambda: gateway_and_event_loop(settings)) as (url, loop):
            wait_until(lambda: httpx.get(f"{url}/readyz?strict=true").status_code == 200)
            before = tasks_of(loop)
            send_many(url, kinds, 300)
            wait_until(lambda: tasks_of(loop) == before)


@asynccontextmanager
async def gateway_and_event_loop(
    settings: Settings,
) -> AsyncIterator[tuple[str, asyncio.AbstractEventLoop]]:
    async with uvicorn_server(settings) as port:
        yield f"http://127.0.0.1:{port}", asyncio.get_running_loop()


def tasks_of(loop: asyncio.AbstractEventLoop) -> list[str]:
    """The coroutines of all tasks of an event loop, including the one that lists them."""

    async def names() -> list[str]:
        return sorted(task.get_coro().__qualname__ for task in asyncio.all_tasks())

    return asyncio.run_coroutine_threadsafe(names(), loop).result(10)
