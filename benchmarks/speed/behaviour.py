"""Measures covidscan at a part of its capacity, beyond it, as load grows, and over time."""

import subprocess
import sys
import time
from typing import Any, Final

from benchmarks.speed.contenders import Entry, started
from benchmarks.speed.load import Load, put_load
from benchmarks.speed.process import Contender, Usage
from benchmarks.speed.rounds import Bench, cpu_seconds, say

GATEWAY: Final = "covidscan serve"
MODEL_SERVER: Final = "covidscan model-server"

_RANDOM_CLIENTS: Final = 64
_PART_OF_CAPACITY: Final = 0.7
_OVERLOAD: Final = 4.0
# So many that no client has to send its next request before it has got its last answer: wrk counts
# an answer that comes later than the next request was due several times.
_CROWD: Final = 400
_GROWTH: Final = (1, 2, 4, 8, 16, 32, 64)
_LONG_WARM_UP: Final = 2_000


def at_a_part_of_capacity(bench: Bench, capacity: float, latency_seconds: float) -> dict[str, Any]:
    """Measure independent clients with random requests, at 70 % of the service's capacity."""
    pause_seconds = _RANDOM_CLIENTS / (_PART_OF_CAPACITY * capacity) - latency_seconds
    load = put_load(
        bench.port,
        bench.uploads["png"],
        clients=_RANDOM_CLIENTS,
        seconds=3 * bench.seconds,
        pause_seconds=pause_seconds,
    )
    p50, p99 = load.percentile(50), load.percentile(99)
    say(f"  at {load.answered_per_second / capacity:.0%} of capacity: p99 {p99 / p50:.2f} x p50")
    return {
        "of_capacity": load.answered_per_second / capacity,
        "p50_seconds": p50,
        "p99_seconds": p99,
        "statuses": load.statuses,
    }


def overloaded(bench: Bench, capacity: float) -> dict[str, Any]:
    """Measure four times as many requests as the service can answer."""
    pause_seconds = _CROWD / (_OVERLOAD * capacity)
    load = _crowd(bench, pause_seconds)
    # Answers take time, so the clients send less often than their pauses alone would give.
    for _ in range(2):
        pause_seconds *= load.requests / load.seconds / (_OVERLOAD * capacity)
        load = _crowd(bench, pause_seconds)
    rejected = load.statuses.get("503", 0)
    # The fastest answers are the rejections: a prediction takes many times longer.
    share = min(99, max(1, 100 * rejected // load.requests))
    say(
        f"  at {load.requests / load.seconds / capacity:.1f} times capacity:"
        f" {load.answered_per_second / capacity:.0%} of capacity answered,"
        f" rejections within {1000 * load.percentile(share):.0f} ms"
    )
    return {
        "offered_of_capacity": load.requests / load.seconds / capacity,
        "answered_of_capacity": load.answered_per_second / capacity,
        "statuses": load.statuses,
        "failed": load.failed,
        "rejected_with_retry_after": load.retry_after,
        "rejected": rejected,
        "rejection_median_seconds": load.percentile(max(1, share // 2)),
        "slowest_rejection_seconds": load.percentile(share),
        "slowest_seconds": load.max_seconds,
    }


def growth(bench: Bench, contender: Contender) -> dict[str, list[dict[str, Any]]]:
    """Measure a growing number of clients, then a growing number of images per request."""
    clients, batches = [], []
    for count in _GROWTH:
        before = contender.usage().cpu_seconds
        load = put_load(
            bench.port, bench.uploads["png"], clients=count, seconds=bench.seconds / 1.5
        )
        clients.append(_point(contender, before, load, count, images=1))
    for count in _GROWTH:
        before = contender.usage().cpu_seconds
        load = put_load(
            bench.port,
            bench.uploads["png"],
            clients=1,
            seconds=bench.seconds / 1.5,
            path="/predict/batch",
            field="files",
            together=count,
        )
        batches.append(_point(contender, before, load, count, images=count))
    return {"clients": clients, "batches": batches}


def over_time(bench: Bench, contender: Contender, requests: int, capacity: float) -> dict[str, Any]:
    """Measure resources after the first 2,000 of thousands of requests, and after all of them."""

    def answer(count: int) -> None:
        put_load(bench.port, bench.uploads["png"], clients=32, seconds=count / capacity)

    answer(_LONG_WARM_UP)
    before = {part: contender.usage(part) for part in (GATEWAY, MODEL_SERVER)}
    answer(requests - _LONG_WARM_UP)
    time.sleep(1)
    after = {part: contender.usage(part) for part in (GATEWAY, MODEL_SERVER)}
    grown = after[GATEWAY].memory_bytes / before[GATEWAY].memory_bytes - 1
    say(f"  over {requests} requests the gateway's memory grew by {grown:.1%}")
    return {
        "requests": requests,
        **{
            f"{part}, {when}": _usage(usages[part])
            for part in (GATEWAY, MODEL_SERVER)
            for when, usages in (("after 2,000", before), ("after all", after))
        },
    }


def start(bench: Bench, entry: Entry) -> dict[str, Any]:
    """Measure the time until all models are ready, and the time of the gateway's import."""
    imports, ready = [], []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import api.app"], check=True)
        imports.append(time.perf_counter() - began)
        with started(entry, bench.directory, bench.port, bench.uploads["png"][0]) as (_, seconds):
            ready.append(seconds)
    return {"import_seconds": sorted(imports)[1], "first_answer_seconds": sorted(ready)[1]}


def _crowd(bench: Bench, pause_seconds: float) -> Load:
    return put_load(
        bench.port,
        bench.uploads["png"],
        clients=_CROWD,
        seconds=2 * bench.seconds,
        pause_seconds=pause_seconds,
    )


def _point(
    contender: Contender, before: float, load: Load, count: int, *, images: int
) -> dict[str, Any]:
    point = {
        "count": count,
        "images_per_second": load.answered_per_second * images,
        "p50_seconds": load.percentile(50),
        "p99_seconds": load.percentile(99),
        "cpu_seconds": cpu_seconds(contender, before, load, images),
        "statuses": load.statuses,
    }
    say(f"  {count}: {point['images_per_second']:.1f} images/s")
    return point


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "memory_bytes": usage.memory_bytes,
        "resident_bytes": usage.resident_bytes,
        "open_files": usage.open_files,
        "threads": usage.threads,
    }
