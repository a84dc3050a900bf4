"""Writes the results: a file, and the tables of docs/performance.md."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.speed.processor import IMAGE_GFLOP

_BEGIN: Final = "<!-- measured: written by make bench -->"
_END: Final = "<!-- end of what was measured -->"

_MEBIBYTE: Final = 1024 * 1024
_GATEWAY: Final = "covidscan serve"

Results = dict[str, Any]


def write_report(results: Results, root: Path) -> None:
    """Write the results, and replace the tables between the markers of the document."""
    target = root / "benchmarks" / "results" / f"{results['date']}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(results, indent=1) + "\n")
    document = root / "docs" / "performance.md"
    before, _, rest = document.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    document.write_text(f"{before}{_BEGIN}\n\n{tables(results)}\n{_END}{after}")


def tables(results: Results) -> str:
    """Return all tables, as Markdown."""
    machine = results["machine"]
    return "\n\n".join(
        [
            (
                f"Measured on {results['date']} on {machine['cores']} cores of"
                f" {machine['processor']}"
                f" {'with' if machine['bf16'] else 'without'} bf16, Python {machine['python']},"
                f" load by {machine['load']}. The same numbers, by round:"
                f" [results](../benchmarks/results/{results['date']}.json)."
            ),
            "### Goals",
            goals_table(results),
            "### Side by side",
            contenders_table(results),
            "### The engine and the processor alone",
            _alone_table(results),
            "### Rising load",
            *(
                f"{results['labels'][name]}:\n\n{_growth_table(found)}"
                for name, found in results["behaviour"].items()
            ),
            "",
        ]
    )


def goals_table(results: Results) -> str:
    """Return the goals and the measured values."""
    rows = [
        (what, goal, found, "yes" if reached else "**no**")
        for what, goal, found, reached in _goals(results)
    ]
    return _table(["what", "goal", "measured", "reached"], rows)


def _goals(results: Results) -> Iterable[tuple[str, str, str, bool]]:
    for precision in ("f32", "bf16"):
        latency = _median(results, f"covidscan-{precision}", "png_seconds")
        alone = _alone(results, precision, "sum_seconds")
        best = _alone(results, precision, "best_images_per_second")
        throughput = _median(results, f"covidscan-{precision}", "images_per_second")
        if None in {latency, throughput}:
            continue
        yield _at_most(
            f"p50 with one client, {precision}, relative to the engine alone", latency / alone, 1.15
        )
        yield _at_least(
            f"images/s with 32 clients, {precision}, relative to the engine alone",
            throughput / best,
            0.9,
        )
    latency = _median(results, "covidscan-f32", "png_seconds")
    throughput = _median(results, "covidscan-f32", "images_per_second")
    for name, goal in (("django-once", 8.0), ("django-each-request", 120.0)):
        if theirs := _median(results, name, "png_seconds"):
            label = results["labels"][name]
            yield _at_least(
                f"p50 with one client of {label}, relative to covidscan", theirs / latency, goal
            )
    bf16 = _median(results, "covidscan-bf16", "images_per_second")
    peers = [_median(results, name, "images_per_second") for name in _PEERS]
    if any(peers):
        best_peer = max(filter(None, peers))
        yield _at_least("images/s, f32, relative to the best peer", throughput / best_peer, 2.0)
        if bf16:
            yield _at_least("images/s, bf16, relative to the best peer", bf16 / best_peer, 2.0)
    if bf16:
        yield _at_least("images/s, bf16 relative to f32", bf16 / throughput, 1.8)
    for name, found in results["behaviour"].items():
        label = results["labels"][name].replace("*", "")
        yield from _behaviour_goals(label, found)
        if "over_time" in found:
            yield from _long_goals(label, found["over_time"])


_PEERS: Final = ("litserve", "bentoml", "ray-serve")


def _behaviour_goals(label: str, found: Results) -> Iterable[tuple[str, str, str, bool]]:
    part, crowd = found["at_70_percent"], found["overloaded"]
    yield _at_most(
        f"{label} at {part['of_capacity']:.0%} of capacity: p99 relative to p50",
        part["p99_seconds"] / part["p50_seconds"],
        3.0,
    )
    yield _at_least(
        f"{label} at {crowd['offered_of_capacity']:.1f} times the capacity:"
        " images/s relative to capacity",
        crowd["answered_of_capacity"],
        0.9,
    )
    slowest_ms = 1000 * crowd["slowest_rejection_seconds"]
    complete = crowd["rejected"] == crowd["rejected_with_retry_after"] and not crowd["failed"]
    yield (
        f"{label}, rejected requests: 503 with Retry-After",
        "within 50 ms",
        f"within {slowest_ms:.0f} ms" + ("" if complete else ", some without"),
        complete and slowest_ms <= 50,
    )
    seconds = found["import_seconds"]
    yield (f"{label}: import of the gateway", "< 1 s", f"{seconds:.2f} s", seconds < 1)
    seconds = found["first_answer_seconds"]
    yield (f"{label}: first answer from all models", "≤ 3 s", f"{seconds:.2f} s", seconds <= 3)
    first_cpu, *others = (point["cpu_seconds"] for point in found["clients"])
    yield _at_most(
        f"{label}: CPU time per image under load, relative to one client",
        max(others) / first_cpu,
        1.0,
    )


def _long_goals(label: str, long: Results) -> Iterable[tuple[str, str, str, bool]]:
    first, last = (long[f"{_GATEWAY}, {when}"] for when in ("after 2,000", "after all"))
    resident = last["resident_bytes"] / _MEBIBYTE
    yield (
        f"{label}: resident memory of the gateway",
        "≤ 150 MiB",
        f"{resident:.0f} MiB",
        resident <= 150,
    )
    grown = last["memory_bytes"] / first["memory_bytes"] - 1
    files = last["open_files"] - first["open_files"]
    threads = last["threads"] - first["threads"]
    yield (
        f"{label}: growth from request 2,000 to {long['requests']:,}",
        "memory < 5 %, no files or threads",
        f"{grown:+.1%}, {files:+d} files, {threads:+d} threads",
        grown < 0.05 and files <= 0 and threads <= 0,
    )


def contenders_table(results: Results) -> str:
    """Return the comparison of all contenders."""
    ours = results["contenders"]["covidscan-f32"]
    rows = []
    for name, found in results["contenders"].items():
        label = results["labels"][name]
        if found["png_seconds"] and found["errors"]:
            rounds = len(found["errors"]) + len(found["png_seconds"])
            label += f" (failed in {len(found['errors'])} of {rounds} rounds)"
        if not found["png_seconds"]:
            rows.append([label, f"not measured: {found['errors'][-1]}", *[""] * 7])
            continue
        rows.append(
            [
                label,
                _ms(found["png_seconds"]),
                _ratio(found["png_seconds"], ours["png_seconds"]),
                _ms(found["jpeg_seconds"]),
                _number(found["images_per_second"]),
                _ratio(ours["images_per_second"], found["images_per_second"]),
                _ms(found["many_seconds"]),
                _ms(found["many_cpu_seconds"] or found["one_cpu_seconds"]),
                f"{statistics.median(found['memory_bytes']) / _MEBIBYTE:.0f} MiB",
            ]
        )
    header = [
        *("contender", "p50, one client, PNG", "relative to covidscan", "p50, JPEG"),
        *("images/s, 32 clients", "covidscan relative to it", "p50, 32 clients"),
        *("CPU per image", "memory"),
    ]
    return _table(header, rows)


def _alone_table(results: Results) -> str:
    alone = results["alone"]
    rows = []
    for precision in ("f32", "bf16"):
        best = _alone(results, precision, "best_images_per_second")
        way = max(
            alone[precision][0]["images_per_second"].items(), key=lambda measured: measured[1]
        )[0]
        rows.append(
            [
                f"OpenVINO, {precision}",
                f"{1000 * _alone(results, precision, 'sum_seconds'):.1f} ms",
                f"{best:.1f}",
                way,
                f"{best * IMAGE_GFLOP:.0f} GFLOP/s",
            ]
        )
    sgemm = statistics.median(alone["sgemm_gflops"])
    rows.append(["numpy, sgemm, f32", "", "", "", f"{sgemm:.0f} GFLOP/s"])
    header = ["", "batch 1, sum of three models", "most images/s", "measured with", "arithmetic"]
    return _table(header, rows)


def _growth_table(found: Results) -> str:
    rows = [
        [
            str(clients["count"]),
            *_growth_cells(clients),
            *_growth_cells(batches),
        ]
        for clients, batches in zip(found["clients"], found["batches"], strict=True)
    ]
    header = [
        "N",
        *("N clients: images/s", "p50", "p99", "CPU per image"),
        *("N images in `/predict/batch`: images/s", "p50", "p99", "CPU per image"),
    ]
    return _table(header, rows)


def _growth_cells(point: Results) -> list[str]:
    return [
        f"{point['images_per_second']:.1f}",
        *(f"{1000 * point[f'{part}_seconds']:.1f} ms" for part in ("p50", "p99", "cpu")),
    ]


def _at_most(what: str, value: float, goal: float) -> tuple[str, str, str, bool]:
    return what, f"≤ {goal:g}", f"{value:.2f}", value <= goal


def _at_least(what: str, value: float, goal: float) -> tuple[str, str, str, bool]:
    return what, f"≥ {goal:g}", f"{value:.2f}", value >= goal


def _median(results: Results, name: str, what: str) -> Any:  # noqa: ANN401 - from a JSON document
    values = results["contenders"].get(name, {}).get(what)
    return statistics.median(values) if values else None


def _alone(results: Results, precision: str, what: str) -> float:
    return statistics.median(measured[what] for measured in results["alone"][precision])


def _ms(seconds: Sequence[float]) -> str:
    return f"{1000 * statistics.median(seconds):.1f} ms" if seconds else ""


def _number(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.1f}" if values else ""


def _ratio(values: Sequence[float], others: Sequence[float]) -> str:
    if not values or not others:
        return ""
    return f"{statistics.median(values) / statistics.median(others):.2f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
