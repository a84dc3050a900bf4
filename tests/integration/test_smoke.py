"""``.ci/smoke.py``, with which CI starts the service, fails unless it becomes ready."""

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
"""A service that is not ready for the first ``argv[2]`` requests."""


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


def test_smoke_waits_until_the_service_is_ready_and_stops_it(repository: Path, port: int):
    outcome = smoke(repository, port, *service(port, not_ready=1))
    assert outcome.returncode == 0, outcome.stderr
    assert "ready after" in outcome.stdout
    assert not is_open(port)


def test_smoke_fails_if_the_command_exits(repository: Path, port: int):
    outcome = smoke(repository, port, sys.executable, "-c", "raise SystemExit(3)")
    assert outcome.returncode == 1
    assert "ended with exit code 3" in outcome.stdout


def test_smoke_fails_and_stops_a_service_that_is_not_ready_in_time(repository: Path, port: int):
    outcome = smoke(repository, port, *service(port, not_ready=1000), timeout="1")
    assert outcome.returncode == 1
    assert "not ready within 1 s" in outcome.stdout
    assert not is_open(port)


def test_smoke_fails_if_another_service_answers_on_the_port(repository: Path, port: int):
    with subprocess.Popen(service(port, not_ready=0)) as other:
        while not is_open(port):
            assert other.poll() is None
        outcome = smoke(repository, port, sys.executable, "-c", "raise SystemExit")
        other.terminate()
    assert outcome.returncode == 1
    assert "another service already answers" in outcome.stdout
