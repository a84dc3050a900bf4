"""What a gateway tells Prometheus, read by tests."""

import re

import httpx


def metric(address: str, name: str) -> float:
    """A figure of a gateway's, without labels."""
    text = httpx.get(f"{address}/metrics").text
    (value,) = re.findall(rf"^covidscan_{name} (\S+)$", text, re.MULTILINE)
    return float(value)
