"""Dashboard and alerts ask for metrics and labels that the gateway really has."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import Metric

from api.observability.metrics import Metrics

TARGET_LABELS = {"instance", "job"}
"""What Prometheus adds to everything that it reads."""

WATCHED = ("images_in_progress", "images_waiting", "received_bytes", "connections")


def alert_rules(repository: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load((repository / "deploy/monitoring/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panel_expressions(repository: Path) -> list[str]:
    dashboard = json.loads((repository / "deploy/monitoring/dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [expression.replace("$__rate_interval", "5m") for expression in expressions]


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric that an expression asks for, with the labels that it names."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), pre_visit=visit)
    assert found, expression
    for selector in found:
        yield selector.name, set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", str(selector.matchers)))


@pytest.fixture(scope="module")
def existing() -> dict[str, set[str]]:
    """Names of samples and their labels, as the gateway has them."""
    metrics = Metrics(version="0", preprocessing="0")
    for name in WATCHED:
        metrics.watch(name, name, lambda: 0)
    labels: dict[str, set[str]] = {"up": set()}
    for family in metrics.registry.collect():
        names = getattr(metrics.registry._names_to_collectors.get(family.name), "_labelnames", ())
        for suffix in suffixes(family):
            extra = {"le"} if suffix == "_bucket" else set()
            labels[family.name + suffix] = set(names) | extra
    return labels


def suffixes(family: Metric) -> tuple[str, ...]:
    return {
        "counter": ("_total",),
        "histogram": ("_bucket", "_sum", "_count"),
    }.get(family.type, ("",))


def test_every_metric_and_label_that_is_asked_for_exists(
    repository: Path, existing: dict[str, set[str]]
):
    rules = [rule["expr"] for rule in alert_rules(repository)]
    for expression in [*rules, *panel_expressions(repository)]:
        for name, labels in selectors(expression):
            assert name in existing, f"{name} in {expression}"
            assert labels <= existing[name] | TARGET_LABELS, expression
        grouped = re.findall(r"(?:by|on|group_left) \(([^)]*)\)", expression)
        for label in filter(None, re.split(r",\s*", ",".join(grouped))):
            known = {each for labels in existing.values() for each in labels} | TARGET_LABELS
            assert label in known, f"{label} in {expression}"


def test_every_metric_of_our_own_is_on_the_dashboard_or_in_an_alert(
    repository: Path, existing: dict[str, set[str]]
):
    rules = [rule["expr"] for rule in alert_rules(repository)]
    asked = {
        name
        for expression in [*rules, *panel_expressions(repository)]
        for name, _ in selectors(expression)
    }
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    ours = {name for name in existing if name.startswith("covidscan_")}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in ours} <= families


def test_every_alert_is_explained_where_operators_look(repository: Path):
    operations = (repository / "docs/operations.md").read_text()
    for rule in alert_rules(repository):
        assert f"`{rule['alert']}`" in operations
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_a_panel_is_where_no_other_is(repository: Path):
    dashboard = json.loads((repository / "deploy/monitoring/dashboard.json").read_text())
    places = [
        (x, y)
        for panel in dashboard["panels"]
        for grid in [panel["gridPos"]]
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
