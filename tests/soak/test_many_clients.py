"""Many clients at once: more than there are slots, clients that disconnect, slow clients."""

import asyncio
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import cv2
import httpx
import numpy as np
import pytest

from tests.processes import model_server_of, open_files, usage
from tests.service_process import running_service, wait_until
from tests.soak.metrics import metric
from tests.soak.raw_clients import form, head, send_and_disconnect, send_slowly

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1500)]

IN_PROGRESS = 4
WAITING = 4
SLOTS = IN_PROGRESS + WAITING
CLIENTS = 4 * SLOTS

WAVE = 40
"""How many clients disconnect at once. They do not wait for slots, so more could take them all."""

SIDE = 836
IMAGE_MIB = SIDE * SIDE * 3 / 2**20

SLOW_SECONDS = 2
MARGIN_SECONDS = 3
"""Clients and servers share the cores of the machine."""


@pytest.fixture(scope="module")
def image() -> bytes:
    """A large file: if bodies are kept, the memory shows it at once."""
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return bytes(cv2.imencode(".bmp", noise)[1])


def post(client: httpx.Client, image: bytes) -> httpx.Response:
    return client.post(
        "/predict", params={"force": "true"}, files={"file": ("a.bmp", image)}, timeout=30
    )


def test_requests_beyond_the_slots_get_503_at_once_and_the_others_get_200(
    tiny_volume: Path, image: bytes, soak: bool, prove: Callable[[str], None]
):
    rounds = 200 if soak else 10
    service = running_service(
        tiny_volume,
        log=tiny_volume.with_name("log"),
        max_in_progress=IN_PROGRESS,
        max_waiting=WAITING,
    )
    with (
        service as (process, address),
        httpx.Client(base_url=address) as client,
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        model_server = model_server_of(process.pid)
        assert post(client, image).status_code == 200
        before = usage(process.pid)
        for _ in range(rounds):
            # No accepted request can finish, so every request that is answered now was rejected.
            os.kill(model_server, signal.SIGSTOP)
            calls = [pool.submit(post, client, image) for _ in range(CLIENTS)]
            wait_until(lambda calls=calls: sum(c.done() for c in calls) >= CLIENTS - SLOTS)
            rejected = [call for call in calls if call.done()]
            os.kill(model_server, signal.SIGCONT)
            assert len(rejected) == CLIENTS - SLOTS
            for call in rejected:
                check_is_overloaded(call.result())
            assert {c.result().status_code for c in calls if c not in rejected} == {200}
        peak_mib = usage(process.pid).peak_memory_mib - before.memory_mib
    # Measured: 1.4 times the bodies of one round, parts of which are held twice for a moment, as
    # received and as the parsed file. If rejected bodies were kept, 10 rounds would take 7 times.
    assert peak_mib < 3 * CLIENTS * IMAGE_MIB
    prove(
        f"{rounds} rounds of {CLIENTS} requests, {IMAGE_MIB:.0f} MiB each, with {SLOTS} slots:"
        f" {SLOTS} got 200, {CLIENTS - SLOTS} were rejected at once; {peak_mib:.0f} MiB at most"
    )


def check_is_overloaded(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["retry-after"] == "1"
    assert response.json()["type"] == "urn:covidscan:problem:overloaded"


def test_disconnected_clients_leave_nothing_behind_and_do_not_affect_others(
    tiny_volume: Path,
    image: bytes,
    phantom_png: bytes,
    soak: bool,
    prove: Callable[[str], None],
):
    waves = 50 if soak else 3
    upload = form(image)
    whole = head(len(upload)) + upload
    half = whole[: len(whole) // 2]
    with running_service(tiny_volume, log=tiny_volume.with_name("log")) as (process, address):
        files_before = open_files(process.pid)
        with regular_clients(address, phantom_png) as regular, ThreadPoolExecutor(4) as pool:
            for _ in range(waves):
                seen = len(regular.seconds)
                calls = [
                    pool.submit(send_and_disconnect, address, sent, reset=reset)
                    for _ in range(WAVE // 4)
                    for sent in (half, whole)
                    for reset in (False, True)
                ]
                for call in calls:
                    call.result()
                wait_until(lambda seen=seen: len(regular.seconds) > seen + 4)
        assert regular.statuses.keys() == {200}
        wait_until(lambda: metric(address, "requests_in_progress") == 1)
        for name in ("images_in_progress", "images_waiting", "received_bytes"):
            assert metric(address, name) == 0
        wait_until(lambda: open_files(process.pid) <= files_before)
    prove(f"{waves * WAVE} clients disconnected midway and left nothing behind; {regular}")


async def test_slow_clients_are_disconnected_and_do_not_affect_others(
    tiny_volume: Path, phantom_png: bytes, soak: bool, prove: Callable[[str], None]
):
    slow_clients = 200 if soak else 40
    service = running_service(
        tiny_volume,
        log=tiny_volume.with_name("log"),
        header_timeout_seconds=SLOW_SECONDS,
        body_timeout_seconds=SLOW_SECONDS,
        # All clients have one address; its limit is not what is tested here.
        max_connections_per_address=2 * slow_clients,
    )
    upload = form(phantom_png)
    request_head = head(len(upload))
    with service as (process, address):
        files_before = open_files(process.pid)
        with regular_clients(address, phantom_png) as regular:
            in_head = [send_slowly(address, b"", request_head) for _ in range(slow_clients // 2)]
            in_body = [send_slowly(address, request_head, upload) for _ in range(slow_clients // 2)]
            disconnects = await asyncio.gather(*in_head, *in_body)
        assert regular.statuses.keys() == {200}
        wait_until(lambda: open_files(process.pid) <= files_before)
        wait_until(lambda: metric(address, "requests_in_progress") == 1)
    assert max(regular.seconds) < SLOW_SECONDS, "regular clients must not wait for slow ones"
    assert {each.status for each in disconnects} <= {408, None}
    assert min(each.seconds for each in disconnects) >= SLOW_SECONDS
    assert max(each.seconds for each in disconnects) < SLOW_SECONDS + MARGIN_SECONDS
    ends = Counter("closed" if each.status is None else str(each.status) for each in disconnects)
    prove(
        f"{len(disconnects)} clients sent a byte at a time: {dict(ends)}, after"
        f" {max(each.seconds for each in disconnects):.1f} s; {regular}"
    )


@dataclass
class Answered:
    """The responses to regular clients."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        """Format them for a report."""
        return (
            f"{self.statuses[200]} requests of other clients got 200, after"
            f" {median(self.seconds):.2f} s, {max(self.seconds):.2f} s at most"
        )


@contextmanager
def regular_clients(address: str, image: bytes) -> Iterator[Answered]:
    """Run two clients that send predictions until the end; yields their responses."""
    answered, stop = Answered(), threading.Event()

    def send_requests() -> None:
        with httpx.Client(base_url=address) as client:
            while not stop.is_set():
                response = post(client, image)
                answered.statuses[response.status_code] += 1
                answered.seconds.append(response.elapsed.total_seconds())

    with ThreadPoolExecutor(2) as pool:
        clients = [pool.submit(send_requests) for _ in range(2)]
        wait_until(lambda: len(answered.seconds) > 0)
        try:
            yield answered
        finally:
            stop.set()
            for client in clients:
                client.result()
