"""Measures how much longer a polite client waits while another client floods the service.

The polite client sends five predictions a second. The other one sends as much as it can, from its
own address: eight batches of 64 images at once, 40 predictions with ``tta=32``, 12 explanations, 60
views. Prints the polite client's p95 during each flood as a multiple of its p95 alone, in one run.

    python -m benchmarks.fairness --models-dir models --image slice.png
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from statistics import quantiles
from typing import Final

import httpx

from benchmarks.service import gateway

_POLITE_PAUSE_SECONDS: Final = 0.2
_FLOOD_ADDRESS: Final = "127.0.0.2"
"""Linux accepts all of 127.0.0.0/8 as loopback."""
_HEAD_START_SECONDS: Final = 2.0
_REJECTED_PAUSE_SECONDS: Final = 0.1
_PERCENTILES: Final = 20


@dataclass(frozen=True)
class Flood:
    """What a busy client sends."""

    name: str
    path: str
    at_once: int
    images: int = 1
    """Per request."""


_FLOODS: Final = (
    Flood("batches of 64 images", "/predict/batch?force=true", at_once=8, images=64),
    Flood("`tta=32`", "/predict?force=true&tta=32", at_once=40),
    Flood("explanations", "/explain?force=true", at_once=12),
    Flood("views", "/view", at_once=60),
)


@dataclass(frozen=True)
class Waits:
    """How a client was answered, and how long it waited."""

    statuses: Counter[int]
    p95_seconds: float


def main() -> None:
    """Start the service, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    with gateway(arguments.models_dir) as service:
        address = f"http://127.0.0.1:{service.port}"
        asyncio.run(_measure(address, arguments.image.read_bytes(), arguments.seconds))


async def _measure(address: str, image: bytes, seconds: float) -> None:
    await _polite(address, image, seconds / 4)
    quiet = await _polite(address, image, seconds)
    write = sys.stdout.write
    write("| beside | polite client answered | its p95 | of its p95 alone |\n|---|---|---|---|\n")
    _write_row("nobody", quiet, quiet)
    for flood in _FLOODS:
        async with _flooding(address, image, flood):
            await asyncio.sleep(_HEAD_START_SECONDS)
            _write_row(flood.name, await _polite(address, image, seconds), quiet)


def _write_row(name: str, waits: Waits, quiet: Waits) -> None:
    answered, asked = waits.statuses[HTTPStatus.OK], waits.statuses.total()
    ratio = waits.p95_seconds / quiet.p95_seconds
    sys.stdout.write(
        f"| {name} | {answered} of {asked} | {1000 * waits.p95_seconds:.0f} ms | {ratio:.1f} |\n"
    )


async def _polite(address: str, image: bytes, seconds: float) -> Waits:
    """Send five requests a second, whether or not the previous ones have been answered."""
    statuses: Counter[int] = Counter()
    durations: list[float] = []

    async def ask() -> None:
        started = time.perf_counter()
        response = await client.post("/predict?force=true", files={"file": ("a.png", image)})
        durations.append(time.perf_counter() - started)
        statuses[response.status_code] += 1

    async with (
        httpx.AsyncClient(base_url=address, timeout=60) as client,
        asyncio.TaskGroup() as asking,
    ):
        for _ in range(round(seconds / _POLITE_PAUSE_SECONDS)):
            asking.create_task(ask())
            await asyncio.sleep(_POLITE_PAUSE_SECONDS)
    return Waits(statuses, quantiles(durations, n=_PERCENTILES)[-1])


@asynccontextmanager
async def _flooding(address: str, image: bytes, flood: Flood) -> AsyncIterator[None]:
    field = "file" if flood.images == 1 else "files"
    files = [(field, ("a.png", image))] * flood.images

    async def ask_on() -> None:
        while True:
            try:
                response = await client.post(flood.path, files=files)
            except httpx.TransportError:
                # Rejected before its body was completely read.
                await asyncio.sleep(_REJECTED_PAUSE_SECONDS)
                continue
            if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
                await asyncio.sleep(_REJECTED_PAUSE_SECONDS)

    transport = httpx.AsyncHTTPTransport(local_address=_FLOOD_ADDRESS)
    async with httpx.AsyncClient(base_url=address, transport=transport, timeout=120) as client:
        asking = [asyncio.create_task(ask_on()) for _ in range(flood.at_once)]
        try:
            yield
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)


if __name__ == "__main__":
    main()
