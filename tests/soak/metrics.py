"""Reads the Prometheus metrics of a gateway."""

import re

import httpx


def metric(address: str, name: str) -> float:
    """Read a metric without labels."""
    text = httpx.get(f"{address}/metrics").text
    (value,) = re.findall(rf"^covidscan_{name} (\S+)$", text, re.MULTILINE)
    return float(value)
