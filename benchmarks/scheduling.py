"""How three CNNs share the cores: threads pinned or free, how many runs at once, batches or not.

Each line is one way to run them, asked by 1, 8 and 32 clients that ask all three models about one
image at a time; figures are ratios to the first line, measured in the same process.

    python benchmarks/scheduling.py --models-dir models
"""

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from serving import volume
from serving.batching_parameters import (
    DEFAULT_BATCHING_FILE,
    BatchingParameters,
    read_batching_parameters,
)
from serving.contract import CHANNELS, IMAGE_SIZE, INPUT_NAME, MODEL_NAMES
from serving.embedded.engine import Engine
from serving.embedded.scheduler import Scheduler
from serving.embedded.servable import ServableVersion
from serving.protos.model_status_pb2 import ModelVersionStatus

CLIENTS = (1, 8, 32)


@dataclass(frozen=True)
class Way:
    """One way to run the models."""

    pin_threads: bool
    runs_at_once: int
    batching: BatchingParameters | None

    def __str__(self) -> str:
        """As the table names it."""
        pinned = "pinned" if self.pin_threads else "free"
        batches = "batches" if self.batching else "alone"
        return f"{pinned:<7} {self.runs_at_once} at once  {batches:<8}"


@dataclass(frozen=True)
class Measure:
    """What clients saw: the median latency of an image, and images a second."""

    latency_seconds: float
    images_per_second: float


def main() -> None:
    """Measure every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement")
    arguments = parser.parse_args()
    batching = read_batching_parameters(DEFAULT_BATCHING_FILE)
    ways = [
        Way(pinned, runs, replace(batching, num_batch_threads=runs) if batches else None)
        for pinned in (True, False)
        for batches in (False, True)
        for runs in (1, 2, 3)
    ]
    columns = "".join(f"  latency, images/s at {clients:>2}" for clients in CLIENTS)
    print(f"{'':<27}{columns}")  # noqa: T201 - its output is the table
    reference: list[Measure] = []
    for way in ways:
        models = load(arguments.models_dir, pin_threads=way.pin_threads)
        found = [asyncio.run(measure(way, models, n, arguments.seconds)) for n in CLIENTS]
        reference = reference or found
        cells = [
            f"  {now.latency_seconds / first.latency_seconds:>9.2f}"
            f"  {now.images_per_second / first.images_per_second:>12.2f} "
            for now, first in zip(found, reference, strict=True)
        ]
        print(f"{way}  {''.join(cells)}", flush=True)  # noqa: T201
    absolute = ", ".join(
        f"{m.latency_seconds * 1000:.1f} ms and {m.images_per_second:.1f} images/s"
        for m in reference
    )
    print(f"the first line is {absolute}")  # noqa: T201


def load(models_dir: Path, *, pin_threads: bool) -> list[ServableVersion]:
    """The newest version of each CNN."""
    engine = Engine(pin_threads=pin_threads)
    found = []
    for name in MODEL_NAMES:
        number = volume.versions(models_dir, name)[-1]
        path = volume.version_dir(models_dir, name, number)
        version = ServableVersion(name, number, path, model=engine.load(path))
        version.state = ModelVersionStatus.AVAILABLE
        found.append(version)
    return found


async def measure(way: Way, models: list[ServableVersion], clients: int, seconds: float) -> Measure:
    """Let clients ask all models at once, again and again."""
    scheduler = Scheduler(threads=way.runs_at_once, batching=way.batching)
    image = np.random.default_rng(0).random((1, IMAGE_SIZE, IMAGE_SIZE, CHANNELS), np.float32)
    latencies: list[float] = []

    async def client(until: float) -> None:
        while (started := time.perf_counter()) < until:
            await asyncio.gather(*(scheduler.infer(m, {INPUT_NAME: image}) for m in models))
            latencies.append(time.perf_counter() - started)

    async def ask(seconds: float) -> float:
        started = time.perf_counter()
        await asyncio.gather(*(client(started + seconds) for _ in range(clients)))
        return time.perf_counter() - started

    await ask(seconds / 4)
    latencies.clear()
    elapsed = await ask(seconds)
    await scheduler.stop()
    return Measure(statistics.median(latencies), len(latencies) / elapsed)


if __name__ == "__main__":
    main()
