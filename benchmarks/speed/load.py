"""Generates load with wrk, an independent tool, on one thread."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.speed.images import Upload

_SCRIPT: Final = Path(__file__).with_name("load.lua")


class LoadError(RuntimeError):
    """wrk is missing or failed."""


@dataclass(frozen=True)
class Load:
    """The results for ``clients`` clients, each with one request at a time."""

    clients: int
    seconds: float
    requests: int
    statuses: dict[str, int]
    retry_after: int
    failed: int
    percentiles_seconds: list[float]
    """The 1st to the 99th percentile of the latency of all answers."""
    max_seconds: float

    @property
    def answered_per_second(self) -> float:
        """Requests answered with 200, per second."""
        return self.statuses.get("200", 0) / self.seconds

    def percentile(self, percent: int) -> float:
        """Return a percentile of the latency, in seconds."""
        return self.percentiles_seconds[percent - 1]


def wrk_version() -> str:
    """Return the version of wrk.

    Raises:
        LoadError: wrk is not installed; ``apt-get install wrk`` installs it.
    """
    if shutil.which("wrk") is None:
        raise LoadError("wrk is needed: apt-get install wrk")
    completed = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return completed.stdout.partition("\n")[0].partition(" [")[0]


def put_load(
    port: int,
    uploads: Sequence[Upload],
    *,
    clients: int,
    seconds: float,
    path: str = "/predict",
    field: str = "file",
    together: int = 1,
    pause_seconds: float = 0.0,
) -> Load:
    """Let clients send requests continuously.

    Args:
        port: the port on 127.0.0.1.
        uploads: sent in turn.
        clients: connections, each with one request at a time.
        seconds: the duration.
        path: the request's path.
        field: the form's field.
        together: files per request.
        pause_seconds: the mean of each client's random pause between two requests.

    Raises:
        LoadError: wrk failed.
    """
    environment = {
        **os.environ,
        "UPLOADS": ":".join(str(upload.path) for upload in uploads),
        "FIELD": field,
        "TOGETHER": str(together),
        "PAUSE_MS": str(1000 * pause_seconds),
    }
    command = ["wrk", "--threads=1", f"--connections={clients}", f"--duration={round(seconds)}s"]
    completed = subprocess.run(
        [*command, "--timeout=60s", f"--script={_SCRIPT}", f"http://127.0.0.1:{port}{path}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 90,
    )
    found = [line for line in completed.stdout.splitlines() if line.startswith("JSON ")]
    if not found:
        raise LoadError(f"wrk failed: {completed.stdout}{completed.stderr}")
    return Load(
        clients=clients,
        **json.loads(found[0].removeprefix("JSON ")),
    )
