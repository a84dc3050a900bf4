"""The speed benchmark: all contenders in one run, then the behaviour of covidscan.

    python -m benchmarks.speed

Writes ``benchmarks/results/<date>.json`` and the tables of ``docs/performance.md``.
"""

import argparse
import dataclasses
import datetime as dt
import platform
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed import behaviour
from benchmarks.speed.contenders import (
    ALL,
    BF16,
    F32,
    REFERENCE_EACH,
    Entry,
    ask,
    other_checkout,
    started,
)
from benchmarks.speed.images import prepare_uploads
from benchmarks.speed.load import LoadError, wrk_version
from benchmarks.speed.report import contenders_table, goals_table, write_report
from benchmarks.speed.rounds import Bench, Measured, measure_processor, measure_round, say

_ROOT = Path(__file__).parents[2]


def main() -> int:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="duration of each measurement")
    parser.add_argument("--requests", type=int, default=20_000, help="length of the leak test")
    parser.add_argument(
        "--only", nargs="*", help="names of contenders; covidscan is always included"
    )
    parser.add_argument(
        "--also", nargs="+", default=[], help="other checkouts of covidscan, as NAME=PATH"
    )
    parser.add_argument(
        "--contenders-only", action="store_true", help="skip the behaviour of covidscan itself"
    )
    parser.add_argument("--directory", type=Path, default=_ROOT / "build" / "benchmarks" / "speed")
    parser.add_argument("--no-report", action="store_true", help="print, and write no files")
    arguments = parser.parse_args()
    try:
        wrk = wrk_version()
    except LoadError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    bench = _prepare(arguments.directory.resolve(), arguments.seconds)
    chosen = [
        entry
        for entry in ALL
        if arguments.only is None or entry.name in {*arguments.only, F32.name}
    ]
    for given in arguments.also:
        name, _, path = given.partition("=")
        chosen.append(other_checkout(name, Path(path)))
    results = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": _machine(wrk),
        "labels": {entry.name: entry.label for entry in chosen},
        **_compare(bench, chosen, arguments.rounds),
        "behaviour": {},
    }
    if not arguments.contenders_only:
        results["behaviour"] = _behave(bench, arguments.requests)
    sys.stdout.write(f"{contenders_table(results)}\n\n{goals_table(results)}\n")
    if not arguments.no_report:
        write_report(results, _ROOT)
    return 0


def _prepare(directory: Path, seconds: float) -> Bench:
    directory.mkdir(parents=True, exist_ok=True)
    models = directory / "models"
    if not (models / "keras").is_dir():
        say("training the models that all contenders serve")
        command = [sys.executable, "-m", "benchmarks.speed.models", str(models)]
        subprocess.run(command, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    uploads = prepare_uploads(models / "phantoms", directory / "uploads")
    return Bench(directory, port, uploads, seconds)


def _compare(bench: Bench, entries: Sequence[Entry], rounds: int) -> dict[str, Any]:
    uploads = [upload for found in bench.uploads.values() for upload in found]
    with started(F32, bench.directory, bench.port, uploads[0]):
        expected = {upload.path: ask(F32, bench.port, upload) for upload in uploads}
    measured: dict[str, Measured] = {}
    alone: dict[str, list[Any]] = {}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        # One round is enough for the reference that loads its models in each request.
        left_out = {F32.name, *([REFERENCE_EACH.name] if number else [])}
        others = [entry for entry in entries if entry.name not in left_out]
        if number % 2:
            others.reverse()
        # The base of all ratios runs twice, because the machine may be slower by the end of a
        # round.
        measure_processor(alone, bench)
        measure_round(bench, [F32, *others, F32], measured, expected)
        measure_processor(alone, bench)
    return {
        "alone": alone,
        "contenders": {name: dataclasses.asdict(found) for name, found in measured.items()},
    }


def _behave(bench: Bench, requests: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in (F32, BF16):
        say(f"how {entry.name} behaves")
        found[entry.name] = behaviour.start(bench, entry)
        with started(entry, bench.directory, bench.port, bench.uploads["png"][0]) as (running, _):
            grown = behaviour.growth(bench, running)
            capacity = max(point["images_per_second"] for point in grown["clients"])
            found[entry.name] |= {
                **grown,
                "at_70_percent": behaviour.at_a_part_of_capacity(
                    bench, capacity, grown["clients"][2]["p50_seconds"]
                ),
                "overloaded": behaviour.overloaded(bench, capacity),
            }
            if entry is F32:
                found[entry.name]["over_time"] = behaviour.over_time(
                    bench, running, requests, capacity
                )
    return found


def _machine(wrk: str) -> dict[str, Any]:
    described = Path("/proc/cpuinfo").read_text()
    model = next(line for line in described.splitlines() if line.startswith("model name"))
    return {
        "processor": model.partition(":")[2].strip(),
        "cores": described.count("\nprocessor") + 1,
        "bf16": "avx512_bf16" in described or "amx_bf16" in described,
        "python": platform.python_version(),
        "load": f"{wrk}, 1 thread",
    }


if __name__ == "__main__":
    sys.exit(main())
