"""Rounds: each measures every contender, in alternating order; results are medians."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.speed.contenders import Answer, Entry, largest_difference, started
from benchmarks.speed.images import Upload
from benchmarks.speed.load import Load, put_load
from benchmarks.speed.process import Contender, StartError
from benchmarks.speed.processor import sgemm_gflops

PRECISIONS: Final = ("f32", "bf16")
MANY_CLIENTS: Final = 32
_WARM_UP_SECONDS: Final = 2.0
_WARM_UP_CLIENTS: Final = 8


@dataclass
class Measured:
    """The results of one contender in all rounds."""

    ready_seconds: list[float] = field(default_factory=list)
    png_seconds: list[float] = field(default_factory=list)
    """The median latency of one client that sends PNG."""
    jpeg_seconds: list[float] = field(default_factory=list)
    images_per_second: list[float] = field(default_factory=list)
    many_seconds: list[float] = field(default_factory=list)
    """The median latency of many clients."""
    one_cpu_seconds: list[float] = field(default_factory=list)
    """Per image, with one client."""
    many_cpu_seconds: list[float] = field(default_factory=list)
    memory_bytes: list[int] = field(default_factory=list)
    difference: float = 0.0
    """The largest difference of its probabilities from covidscan's in f32."""
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bench:
    """The folder, port and uploads of a benchmark, and the duration of its measurements."""

    directory: Path
    port: int
    uploads: Mapping[str, Sequence[Upload]]
    seconds: float


def raw_engine(bench: Bench, precision: str) -> dict[str, Any]:
    """Measure the engine alone, in its own process."""
    command = [sys.executable, "-m", "benchmarks.speed.raw_engine", f"--precision={precision}"]
    volume = bench.directory / "models" / "volume"
    completed = subprocess.run(
        [*command, f"--volume={volume}", f"--seconds={bench.seconds / 4}"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(completed.stdout)
    return found


def measure_round(
    bench: Bench,
    entries: Sequence[Entry],
    measured: dict[str, Measured],
    expected: Mapping[Path, Answer],
) -> None:
    """Measure each contender once, alone on the machine."""
    for entry in entries:
        found = measured.setdefault(entry.name, Measured())
        try:
            _measure(bench, entry, found, expected)
        except StartError as error:
            found.errors.append(str(error))
            say(f"  {entry.name}: {error}")
        else:
            say(f"  {entry.name}: {_summary(found)}")


def measure_processor(found: dict[str, list[Any]], bench: Bench) -> None:
    """Measure the processor and the engine alone, once per call."""
    found.setdefault("sgemm_gflops", []).append(sgemm_gflops())
    for precision in PRECISIONS:
        alone = raw_engine(bench, precision)
        found.setdefault(precision, []).append(alone)
        say(
            f"  the engine alone, {precision}: {1000 * alone['sum_seconds']:.1f} ms,"
            f" {alone['best_images_per_second']:.1f} images/s"
        )


def cpu_seconds(contender: Contender, before: float, load: Load, images: int = 1) -> float:
    """Return the CPU time per image of a finished load."""
    answered = load.statuses.get("200", 0) * images
    return (contender.usage().cpu_seconds - before) / max(1, answered)


def say(line: str) -> None:
    """Print progress to stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _measure(bench: Bench, entry: Entry, found: Measured, expected: Mapping[Path, Answer]) -> None:
    png, jpeg = bench.uploads["png"], bench.uploads["jpeg"]
    with started(entry, bench.directory, bench.port, png[0]) as (contender, ready_seconds):
        found.ready_seconds.append(ready_seconds)
        if entry.slow:
            before = contender.usage().cpu_seconds
            load = put_load(bench.port, png, clients=1, seconds=4 * bench.seconds)
            found.png_seconds.append(load.percentile(50))
            found.one_cpu_seconds.append(cpu_seconds(contender, before, load))
            found.memory_bytes.append(contender.usage().memory_bytes)
            return
        found.difference = max(found.difference, largest_difference(entry, bench.port, expected))
        put_load(bench.port, png, clients=_WARM_UP_CLIENTS, seconds=_WARM_UP_SECONDS)
        before = contender.usage().cpu_seconds
        load = put_load(bench.port, png, clients=1, seconds=bench.seconds)
        found.png_seconds.append(load.percentile(50))
        found.one_cpu_seconds.append(cpu_seconds(contender, before, load))
        load = put_load(bench.port, jpeg, clients=1, seconds=bench.seconds / 2)
        found.jpeg_seconds.append(load.percentile(50))
        before = contender.usage().cpu_seconds
        load = put_load(bench.port, png, clients=MANY_CLIENTS, seconds=bench.seconds)
        found.images_per_second.append(load.answered_per_second)
        found.many_seconds.append(load.percentile(50))
        found.many_cpu_seconds.append(cpu_seconds(contender, before, load))
        found.memory_bytes.append(contender.usage().memory_bytes)


def _summary(found: Measured) -> str:
    one = f"{1000 * found.png_seconds[-1]:.1f} ms"
    return f"{one}, {found.images_per_second[-1]:.1f} images/s" if found.images_per_second else one
