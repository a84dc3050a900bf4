"""Runs ``covidscan serve`` on a free port for the duration of a measurement."""

import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx

from benchmarks.speed.process import Contender, StartError, last_words, running

_START_SECONDS: Final = 60.0


@contextmanager
def gateway(models_dir: Path, *options: str) -> Iterator[Contender]:
    """Run the service; yield it once all models are ready.

    Raises:
        StartError: the models do not become ready.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "covidscan", "serve", f"--models-dir={models_dir.resolve()}"]
    with TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        with running([*command, f"--port={port}", *options], port, {}, log) as service:
            until = time.perf_counter() + _START_SECONDS
            while not _is_ready(port):
                if time.perf_counter() > until:
                    raise StartError(last_words(log))
                time.sleep(0.1)
            yield service


def _is_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz?strict=true").is_success
    except httpx.TransportError:
        return False
