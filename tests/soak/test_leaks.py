"""Thousands of requests of all kinds leave nothing behind."""

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
from tests.soak.rude_clients import form, hang_up, head

CALLERS = 4

WARM_UP_REQUESTS = 600
"""After which pools of threads, allocators' arenas and caches are as large as they will be."""

MEMORY_MARGIN_MIB = 8
"""Measured: 1.9 MiB more after 20,000 requests in the gateway, 12 MiB less in the model server,
which gives back what loading took. So a leak of 6 KB a request is noticed by the short run, one of
0.4 KB by the long."""

THREADS_MARGIN = 4
"""Measured: 2. Pools grow with what happens to be done at the same time, up to their bounds."""

pytestmark = pytest.mark.soak

Send = Callable[[httpx.Client], int]
Kinds = dict[str, tuple[Send, int]]


@pytest.fixture(scope="module")
def noise_png() -> bytes:
    """An image that does not compress, 190 KB: should uploads be kept, memory tells soon."""
    noise = np.random.default_rng(0).integers(0, 256, (250, 250, 3), np.uint8)
    return bytes(cv2.imencode(".png", noise)[1])


@pytest.fixture(scope="module")
def kinds(noise_png: bytes) -> Kinds:
    """Each kind of request: what sends it, and the status of its answer; 0 is none."""

    def file(data: bytes, path: str = "/predict?force=true", field: str = "file") -> Send:
        return lambda client: client.post(path, files={field: ("a.png", data)}).status_code

    def batch(client: httpx.Client) -> int:
        files = [("files", (f"{i}.png", noise_png)) for i in range(3)]
        return client.post("/predict/batch?force=true", files=files).status_code

    def leave(sent: bytes, *, reset: bool) -> Send:
        def send(client: httpx.Client) -> int:
            hang_up(str(client.base_url), sent, reset=reset)
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
        "gone after half": (leave(head(len(whole)) + whole[: len(whole) // 2], reset=True), 0),
        "gone before the answer": (leave(head(len(whole)) + whole, reset=False), 0),
    }


def send_many(address: str, kinds: Kinds, count: int) -> Counter[str]:
    """Requests of all kinds in a random order, from several callers, each answered as it must."""

    def call(seed: int) -> Counter[str]:
        rng, sent = random.Random(seed), Counter[str]()  # noqa: S311
        with httpx.Client(base_url=address, timeout=30) as client:
            for name in rng.choices(list(kinds), k=count // CALLERS):
                send, status = kinds[name]
                assert send(client) == status, name
                sent[name] += 1
        return sent

    with ThreadPoolExecutor(CALLERS) as callers:
        return sum(callers.map(call, range(CALLERS)), Counter[str]())


@pytest.mark.timeout(3000)
def test_memory_threads_and_open_files_of_both_processes_stay_flat(
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
    """Nothing is in progress but this question."""
    return metric(address, "requests_in_progress") == 1


def test_no_task_of_the_gateway_outlives_its_request(tiny_volume: Path, kinds: Kinds):
    with model_server(tiny_volume) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=tiny_volume)
        with in_thread(lambda: gateway_and_its_loop(settings)) as (url, loop):
            wait_until(lambda: httpx.get(f"{url}/readyz?strict=true").status_code == 200)
            before = tasks_of(loop)
            send_many(url, kinds, 300)
            wait_until(lambda: tasks_of(loop) == before)


@asynccontextmanager
async def gateway_and_its_loop(
    settings: Settings,
) -> AsyncIterator[tuple[str, asyncio.AbstractEventLoop]]:
    async with uvicorn_server(settings) as port:
        yield f"http://127.0.0.1:{port}", asyncio.get_running_loop()


def tasks_of(loop: asyncio.AbstractEventLoop) -> list[str]:
    """What all tasks of an event loop run, the one that asks included."""

    async def names() -> list[str]:
        return sorted(task.get_coro().__qualname__ for task in asyncio.all_tasks())

    return asyncio.run_coroutine_threadsafe(names(), loop).result(10)
