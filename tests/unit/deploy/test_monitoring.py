"""The dashboard and the alerts use metrics and labels that the gateway exposes."""

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
"""Labels that Prometheus adds to every sample."""

WATCHED = ("images_in_progress", "images_waiting", "received_bytes", "connections")


def alert_rules(repository: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load((repository / "deploy/monitoring/alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panel_expressions(repository: Path) -> list[str]:
    dashboard = json.loads((repository / "deploy/monitoring/dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [expression.replace("$__rate_interval", "5m") for expression in expressions]


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric in an expression, with the labels that it is filtered by."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), pre_visit=visit)
    assert found, expression
    for selector in found:
        yield selector.name, set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", str(selector.matchers)))


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """The labels of each sample that the gateway exposes, by the name of the sample."""
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


def test_the_gateway_exposes_every_metric_and_label_in_an_expression(
    repository: Path, exposed: dict[str, set[str]]
):
    rules = [rule["expr"] for rule in alert_rules(repository)]
    for expression in [*rules, *panel_expressions(repository)]:
        for name, labels in selectors(expression):
            assert name in exposed, f"{name} in {expression}"
            assert labels <= exposed[name] | TARGET_LABELS, expression
        grouped = re.findall(r"(?:by|on|group_left) \(([^)]*)\)", expression)
        for label in filter(None, re.split(r",\s*", ",".join(grouped))):
            known = {each for labels in exposed.values() for each in labels} | TARGET_LABELS
            assert label in known, f"{label} in {expression}"


def test_every_covidscan_metric_is_on_the_dashboard_or_in_an_alert(
    repository: Path, exposed: dict[str, set[str]]
):
    rules = [rule["expr"] for rule in alert_rules(repository)]
    used = {
        name
        for expression in [*rules, *panel_expressions(repository)]
        for name, _ in selectors(expression)
    }
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    covidscan_metrics = {name for name in exposed if name.startswith("covidscan_")}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in covidscan_metrics} <= families


def test_every_alert_is_explained_in_the_operations_document(repository: Path):
    operations = (repository / "docs/operations.md").read_text()
    for rule in alert_rules(repository):
        assert f"`{rule['alert']}`" in operations
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in {"critical", "warning"}


def test_dashboard_panels_do_not_overlap(repository: Path):
    dashboard = json.loads((repository / "deploy/monitoring/dashboard.json").read_text())
    cells = [
        (x, y)
        for panel in dashboard["panels"]
        for grid in [panel["gridPos"]]
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
