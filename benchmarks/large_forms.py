"""Measures how long forms of the largest size block the event loop for other requests.

One client sends forms of 10 MiB without an image, one after the other, so that only receiving and
parsing is measured. Meanwhile another client requests ``/healthz``, which needs only the event
loop. Prints that client's latency without and with the forms.

    python -m benchmarks.large_forms --models-dir models
"""

import argparse
import http.client
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx

from api.settings import MEBIBYTE
from benchmarks.service import gateway

_FILE_BYTES: Final = 10 * MEBIBYTE
_PAUSE_SECONDS: Final = 0.002


def main() -> None:
    """Start the service, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of each measurement")
    arguments = parser.parse_args()
    with gateway(arguments.models_dir) as service:
        alone = _latencies(service.port, arguments.seconds)
        before = service.usage().cpu_seconds
        with _large_forms(service.port) as durations:
            beside = _latencies(service.port, arguments.seconds)
        cpu_seconds = (service.usage().cpu_seconds - before) / len(durations)
    sys.stdout.write("| `/healthz` | p50 | p99 | slowest |\n|---|---|---|---|\n")
    for label, latencies in (("alone", alone), ("beside forms of 10 MiB", beside)):
        percentiles = statistics.quantiles(latencies, n=100)
        cells = (percentiles[49], percentiles[98], max(latencies))
        sys.stdout.write(f"| {label} | {' | '.join(f'{1000 * s:.1f} ms' for s in cells)} |\n")
    sys.stdout.write(
        f"\n{len(durations)} forms, {1000 * statistics.median(durations):.0f} ms each in the"
        f" median, {1000 * cpu_seconds:.0f} ms of CPU time each\n"
    )


def _latencies(port: int, seconds: float) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    taken = []
    until = time.perf_counter() + seconds
    while (started := time.perf_counter()) < until:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        taken.append(time.perf_counter() - started)
        time.sleep(_PAUSE_SECONDS)
    return taken


@contextmanager
def _large_forms(port: int) -> Iterator[list[float]]:
    """Send forms until the end; yield a list of their durations."""
    form = httpx.Request("POST", "http://localhost", files={"file": os.urandom(_FILE_BYTES)})
    body, headers = form.read(), dict(form.headers)
    durations: list[float] = []
    ended = threading.Event()

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while not ended.is_set():
            started = time.perf_counter()
            connection.request("POST", "/predict", body, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status != HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
                raise RuntimeError(answer.decode())
            durations.append(time.perf_counter() - started)

    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield durations
    finally:
        ended.set()
        sending.join()


if __name__ == "__main__":
    main()
