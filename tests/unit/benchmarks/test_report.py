"""The tables in docs/performance.md match the newest results and mark the missed goals."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.report import goals_table, tables


@pytest.fixture
def results(repository: Path) -> dict[str, Any]:
    newest = max((repository / "benchmarks" / "results").glob("*.json"))
    found: dict[str, Any] = json.loads(newest.read_text())
    return found


def test_the_document_has_the_tables_of_the_newest_results(
    results: dict[str, Any], repository: Path
):
    assert tables(results) in (repository / "docs" / "performance.md").read_text()


def row(results: dict[str, Any], goal: str) -> str:
    (found,) = [line for line in goals_table(results).splitlines() if goal in line]
    return found


def test_a_goal_is_compared_with_the_engine_of_the_same_run(results: dict[str, Any]):
    best = [alone["best_images_per_second"] for alone in results["alone"]["f32"]]
    for share, reached in ((0.95, "| yes |"), (0.85, "| **no** |")):
        changed = copy.deepcopy(results)
        changed["contenders"]["covidscan-f32"]["images_per_second"] = [
            share * value for value in sorted(best)
        ]
        assert row(changed, "images/s with 32 clients, f32").endswith(f"| {share:.2f} {reached}")


def test_a_failed_contender_is_listed_with_its_error(results: dict[str, Any]):
    results["contenders"]["litserve"] |= {"png_seconds": [], "errors": ["cannot be installed: x"]}
    lines = [line for line in tables(results).splitlines() if line.startswith("| LitServe |")]
    assert lines[0].startswith("| LitServe | not measured: cannot be installed: x |")


@pytest.mark.parametrize(("with_retry_after", "verdict"), [(100, "| yes |"), (99, "| **no** |")])
def test_a_rejection_without_retry_after_misses_the_goal(
    results: dict[str, Any], with_retry_after: int, verdict: str
):
    results["behaviour"]["covidscan-f32"]["overloaded"] |= {
        "slowest_rejection_seconds": 0.01,
        "rejected": 100,
        "rejected_with_retry_after": with_retry_after,
        "failed": 0,
    }
    assert row(results, "covidscan, f32, rejected requests").endswith(verdict)
