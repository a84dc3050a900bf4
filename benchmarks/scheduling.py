"""Compares ways for three CNNs to share the cores: pinning, streams, concurrent runs, batches.

Each line is one configuration, measured with 1, 8 and 32 clients that send one image at a time to
all three models. Figures are ratios to the first line, measured in the same process.

    python -m benchmarks.scheduling --models-dir models
"""

import argparse
import asyncio
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imaging.model_input import CHANNELS, IMAGE_SIZE
from serving import volume
from serving.batching_parameters import (
    EMBEDDED_BATCHING_FILE,
    BatchingParameters,
    read_batching_parameters,
)
from serving.contract import INPUT_NAME, MODEL_NAMES
from serving.embedded.engine import Engine
from serving.embedded.scheduler import Scheduler
from serving.embedded.servable import ServableVersion
from serving.protos.model_status_pb2 import ModelVersionStatus

CLIENTS = (1, 8, 32)


@dataclass(frozen=True)
class Way:
    """One way to run the models. Without rows, each request runs alone."""

    pin_threads: bool
    streams: int
    runs_at_once: int
    rows: int | None
    padded: bool = False

    def __str__(self) -> str:
        """Return the cells of the table."""
        pinned = "pinned" if self.pin_threads else "free"
        rows = f"up to {self.rows}{', padded' * self.padded}" if self.rows else "one"
        return f"| {pinned} | {self.streams} | {self.runs_at_once} | {rows} |"


WAYS = (
    Way(True, 1, 1, None),
    Way(True, 1, 3, 32),
    Way(False, 1, 3, None),
    Way(False, 1, 1, 8),
    Way(False, 1, 2, 8),
    Way(False, 1, 3, 8),
    Way(False, 2, 2, None),
    Way(False, 2, 2, 8),
    Way(False, 2, 2, 16),
    Way(False, 2, 2, 32, padded=True),
    Way(False, 2, 3, 8),
    Way(False, 2, 3, 16),
)


@dataclass(frozen=True)
class Measure:
    """The median latency of an image, and images per second."""

    latency_seconds: float
    images_per_second: float


def main() -> None:
    """Measure every way and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--seconds", type=float, default=3.0, help="duration of each measurement")
    arguments = parser.parse_args()
    columns = "".join(f" {clients} clients |" for clients in CLIENTS)
    print(f"| threads | streams | runs at once | rows |{columns}")  # noqa: T201
    print(f"|{'---|' * (4 + len(CLIENTS))}")  # noqa: T201 - the table is the output
    reference: list[Measure] = []
    for way in WAYS:
        models = load(
            arguments.models_dir, Engine(streams=way.streams, pin_threads=way.pin_threads)
        )
        found = [asyncio.run(measure(way, models, n, arguments.seconds)) for n in CLIENTS]
        reference = reference or found
        cells = [
            f" {now.latency_seconds / first.latency_seconds:.2f},"
            f" {now.images_per_second / first.images_per_second:.2f} |"
            for now, first in zip(found, reference, strict=True)
        ]
        print(f"{way}{''.join(cells)}", flush=True)  # noqa: T201
    absolute = ", ".join(
        f"{m.latency_seconds * 1000:.1f} ms and {m.images_per_second:.1f} images/s"
        for m in reference
    )
    print(f"the first line is {absolute}")  # noqa: T201


def load(models_dir: Path, engine: Engine) -> list[ServableVersion]:
    """Load the newest version of each CNN."""
    found = []
    for name in MODEL_NAMES:
        number = volume.versions(models_dir, name)[-1]
        path = volume.version_dir(models_dir, name, number)
        version = ServableVersion(name, number, path, model=engine.load(path))
        version.state = ModelVersionStatus.AVAILABLE
        found.append(version)
    return found


async def measure(way: Way, models: list[ServableVersion], clients: int, seconds: float) -> Measure:
    """Let clients query all models at once, repeatedly."""
    scheduler = Scheduler(threads=way.runs_at_once, batching=_batching(way))
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


def _batching(way: Way) -> BatchingParameters | None:
    if way.rows is None:
        return None
    sizes = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32) if way.padded else ()
    return replace(
        read_batching_parameters(EMBEDDED_BATCHING_FILE),
        num_batch_threads=way.runs_at_once,
        max_execution_batch_size=way.rows,
        allowed_batch_sizes=sizes,
    )


if __name__ == "__main__":
    main()
