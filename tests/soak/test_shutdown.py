"""SIGTERM under load: accepted requests are answered, new connections rejected, processes end."""

import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest

from api.schemas.prediction import PredictionResponse
from tests.processes import is_alive, model_server_of
from tests.service_process import running_service, wait_until
from tests.soak.metrics import metric
from tests.soak.raw_clients import form, head, host_and_port

CLIENTS = 12
HELD_SECONDS = 3
"""After the signal; shorter than the model timeout."""

pytestmark = pytest.mark.soak


def post(address: str, png: bytes) -> httpx.Response:
    return httpx.post(f"{address}/predict", files={"file": ("slice.png", png)}, timeout=30)


def rejects_connections(address: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex(host_and_port(address)) != 0


def test_sigterm_lets_requests_in_flight_finish_and_rejects_new_ones(
    tiny_volume: Path, phantom_png: bytes, prove: Callable[[str], None]
):
    with running_service(tiny_volume) as (process, address):
        model_server = model_server_of(process.pid)
        with ThreadPoolExecutor(CLIENTS) as clients:
            # Stopping the model server keeps all requests in flight until the signal arrives.
            os.kill(model_server, signal.SIGSTOP)
            calls = [clients.submit(post, address, phantom_png) for _ in range(CLIENTS)]
            wait_until(lambda: metric(address, "images_in_progress") == CLIENTS)
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: rejects_connections(address))
            time.sleep(HELD_SECONDS)
            assert process.poll() is None
            assert not any(call.done() for call in calls)
            os.kill(model_server, signal.SIGCONT)
            responses = [call.result() for call in calls]
        assert process.wait(10) == 0
        assert not is_alive(model_server)
    for response in responses:
        assert response.status_code == 200, response.text
        assert not PredictionResponse.model_validate_json(response.text).degraded
    prove(f"SIGTERM with {CLIENTS} requests in flight: {CLIENTS} answered 200, exit code 0")


def test_requests_on_open_connections_are_answered_after_sigterm(
    tiny_volume: Path, phantom_png: bytes
):
    body = form(phantom_png)
    upload = head(len(body)) + body
    with running_service(tiny_volume) as (process, address), ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(host_and_port(address)))
            for _ in range(CLIENTS)
        ]
        unused, used, sending = clients[::3], clients[1::3], clients[2::3]
        for client in used:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
            assert status_of_response(client) == 200
        for client in sending:
            client.sendall(upload[: len(upload) // 2])
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: rejects_connections(address))
        for client in unused + used:
            client.sendall(upload)
        for client in sending:
            client.sendall(upload[len(upload) // 2 :])
        assert [status_of_response(client) for client in clients] == [200] * CLIENTS
        assert process.wait(10) == 0


def status_of_response(client: socket.socket) -> int:
    response = HTTPResponse(client)
    response.begin()
    response.read()
    return response.status
