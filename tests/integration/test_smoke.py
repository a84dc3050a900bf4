"""``.ci/smoke.py``, which CI starts the service with, tells a service that works from others."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import free_port

SERVICE = """
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    answers = iter([503] * int(sys.argv[2]) + [200])

    def do_GET(self):
        self.send_response(next(self.answers))
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Not ready for as many requests as its second argument says, then ready."""


@pytest.fixture
def port() -> int:
    return free_port()


def service(port: int, *, not_ready: int) -> list[str]:
    return [sys.executable, "-c", SERVICE, str(port), str(not_ready)]


def smoke(
    repository: Path, port: int, *command: str, timeout: str = "60"
) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(repository / ".ci" / "smoke.py"), "--timeout", timeout]
    environment = os.environ | {"COVIDSCAN_PORT": str(port)}
    return subprocess.run(
        [*script, *command], env=environment, capture_output=True, text=True, check=False
    )


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_it_waits_for_a_service_to_be_ready_and_stops_it(repository: Path, port: int):
    outcome = smoke(repository, port, *service(port, not_ready=1))
    assert outcome.returncode == 0, outcome.stderr
    assert "ready after" in outcome.stdout
    assert not is_open(port)


def test_a_command_that_ends_is_a_failure(repository: Path, port: int):
    outcome = smoke(repository, port, sys.executable, "-c", "raise SystemExit(3)")
    assert outcome.returncode == 1
    assert "ended with exit code 3" in outcome.stdout


def test_a_service_that_is_never_ready_is_a_failure_and_is_stopped(repository: Path, port: int):
    outcome = smoke(repository, port, *service(port, not_ready=1000), timeout="1")
    assert outcome.returncode == 1
    assert "not ready within 1 s" in outcome.stdout
    assert not is_open(port)


def test_the_answer_of_another_service_does_not_count(repository: Path, port: int):
    with subprocess.Popen(service(port, not_ready=0)) as other:
        while not is_open(port):
            assert other.poll() is None
        outcome = smoke(repository, port, sys.executable, "-c", "raise SystemExit")
        other.terminate()
    assert outcome.returncode == 1
    assert "another service already answers" in outcome.stdout
