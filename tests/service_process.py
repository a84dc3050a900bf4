"""Starts ``covidscan serve`` as a process, as a user does."""

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
    """Wait for a condition, checked every 20 ms; the timeout is long enough for a busy machine."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition was not met in time"
        time.sleep(0.02)


def page_address(process: subprocess.Popen[str]) -> str:
    """Read the address of the page from the output of a starting service."""
    assert process.stdout is not None
    for line in process.stdout:
        if page := re.search(r"page +(http://\S+)/$", line):
            return page[1]
    raise AssertionError("the service ended before it printed the address of its page")


@contextmanager
def running_service(
    models_dir: Path, *, log: Path | None = None, ready: bool = True, **settings: object
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the service on a free port; yields the process and its address.

    Args:
        models_dir: the versioned volume.
        log: the file that it logs to; by default stderr.
        ready: whether to wait until all models are ready.
        settings: of the gateway, by name.
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
