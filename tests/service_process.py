"""``covidscan serve`` as a process, as a user starts it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

COVIDSCAN = [sys.executable, "-m", "covidscan"]


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float = 20) -> None:
    """Wait for a condition, asking every 20 ms."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def running_service(
    models_dir: Path, *, environment: Mapping[str, str] | None = None, log: IO[str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The service on a free port, ready; gives the process and its address."""
    process = subprocess.Popen(
        [*COVIDSCAN, "serve", "--port=0", f"--models-dir={models_dir}"],
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, **(environment or {})},
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if page := re.search(r"page +(http://\S+)/$", line):
                address = page[1]
                break
        wait_until(lambda: httpx.get(f"{address}/readyz").status_code == 200)
        yield process, address
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=10)
        process.stdout.close()
