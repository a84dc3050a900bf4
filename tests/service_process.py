"""``covidscan serve`` as a process, as a user starts it."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

COVIDSCAN = [sys.executable, "-m", "covidscan"]


def wait_until(condition: Callable[[], bool], *, timeout_seconds: float = 60) -> None:
    """Wait for a condition, asking every 20 ms; the time is long enough for a busy machine."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def page_address(process: subprocess.Popen[str]) -> str:
    """Where a service that starts says that its page is."""
    assert process.stdout is not None
    for line in process.stdout:
        if page := re.search(r"page +(http://\S+)/$", line):
            return page[1]
    raise AssertionError("the service ended before it had a page")


@contextmanager
def running_service(
    models_dir: Path, *, log: Path | None = None, ready: bool = True, **settings: object
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The service on a free port; gives the process and its address.

    Args:
        models_dir: the versioned volume.
        log: where it logs; by default to stderr.
        ready: whether to wait until every model answers.
        settings: of the gateway, by their names.
    """
    with ExitStack() as stack:
        process = subprocess.Popen(
            [*COVIDSCAN, "serve", "--port=0", f"--models-dir={models_dir}"],
            stdout=subprocess.PIPE,
            stderr=stack.enter_context(log.open("w")) if log else None,
            env=os.environ | {f"COVIDSCAN_{k.upper()}": str(v) for k, v in settings.items()},
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            address = page_address(process)
            if ready:
                wait_until(lambda: httpx.get(f"{address}/readyz?strict=true").status_code == 200)
            yield process, address
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=10)
            process.stdout.close()
