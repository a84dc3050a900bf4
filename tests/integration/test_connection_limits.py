"""Connection limits, reserved health checks, and clients that do not read their responses."""

import errno
import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import cv2
import httpx
import numpy as np
import pytest

from api.http.access.api_keys import create_key
from api.settings import MEBIBYTE, Settings
from covidscan.service.http.connection_slots import RESERVED
from tests.integration.conftest import gateway
from tests.integration.routes import settings_with
from tests.integration.test_connections import (
    HEAD,
    PART,
    SHORT,
    metric,
    problem_at_the_end,
    read_to_end,
)
from tests.service_process import wait_until


@pytest.fixture
def service_with_few_slots() -> Iterator[httpx.Client]:
    """A gateway with few slots for connections and the default timeouts."""
    settings = Settings(
        _env_file=None,
        model_server="127.0.0.1:1",
        status_timeout_seconds=0.2,
        max_connections=12,
        max_connections_per_address=6,
    )
    with gateway(settings) as client:
        yield client


def health(service: httpx.Client, source: str) -> int:
    """The status of a health check on a new connection from a loopback address."""
    with socket.create_connection(
        (service.base_url.host, service.base_url.port), 10, (source, 0)
    ) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return int(read_to_end(opened).split()[1])


def test_connections_from_one_address_leave_slots_for_others_and_for_health_checks(
    service_with_few_slots: httpx.Client,
):
    address = (service_with_few_slots.base_url.host, service_with_few_slots.base_url.port)
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(address, 10, ("127.0.0.2", 0)))
            for _ in range(200)
        ]
        for opened in slow:
            opened.sendall(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(5):
            assert health(service_with_few_slots, "127.0.0.2") == 200
            assert health(service_with_few_slots, "127.0.0.3") == 200
        # Another address has an ordinary slot, which is not limited to health checks.
        assert service_with_few_slots.get("/models").status_code == 200
        with socket.create_connection(address, 10, ("127.0.0.2", 0)) as excess:
            excess.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
            assert problem_at_the_end(excess, 503) == "overloaded"
        assert metric(service_with_few_slots, "covidscan_connections") <= 6 + 1 + RESERVED
    wait_until(lambda: metric(service_with_few_slots, "covidscan_connections") == 1)


def test_health_checks_are_answered_while_all_slots_are_taken(service_with_few_slots: httpx.Client):
    address = (service_with_few_slots.base_url.host, service_with_few_slots.base_url.port)
    with ExitStack() as stack:
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            for _ in range(6):
                stack.enter_context(socket.create_connection(address, 10, (source, 0)))
        assert health(service_with_few_slots, "127.0.0.5") == 200
    wait_until(lambda: metric(service_with_few_slots, "covidscan_connections") == 1)


def test_a_failed_accept_is_counted_and_does_not_block_other_connections(
    service_with_few_slots: httpx.Client, monkeypatch: pytest.MonkeyPatch
):
    accept, failures = socket.socket.accept, 3

    def fail(listener: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", fail)
    assert health(service_with_few_slots, "127.0.0.2") == 200
    assert (
        'covidscan_accept_errors_total{error="EMFILE"} 3.0'
        in service_with_few_slots.get("/metrics").text
    )


@pytest.mark.parametrize(
    ("path", "headers", "size", "status"),
    [
        ("/predict", {"X-API-Key": "wrong"}, 10 * MEBIBYTE, 401),
        ("/predict", {}, 35 * MEBIBYTE, 413),
        ("/nowhere", {}, 10 * MEBIBYTE, 404),
        ("/models", {}, 10 * MEBIBYTE, 405),
        ("/predict", {"Host": "["}, 10 * MEBIBYTE, 400),
        ("/predict", {"X": "a" * 33_000}, 10 * MEBIBYTE, 431),
    ],
)
def test_a_rejected_client_that_sends_its_whole_body_first_receives_the_status(
    path: str, headers: dict[str, str], size: int, status: int
):
    key, record = create_key("pacs")
    settings = Settings(
        _env_file=None,
        model_server="127.0.0.1:1",
        api_keys=str(record),
    )
    with gateway(settings) as client:
        connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 80)
        boundary = {"Content-Type": "multipart/form-data; boundary=b", "X-API-Key": key}
        connection.request("POST", path, PART + bytes(size), boundary | headers)
        assert connection.getresponse().status == status
        connection.close()
        assert client.get("/healthz").status_code == 200


def test_a_client_that_does_not_read_a_large_response_is_disconnected():
    image = cv2.imencode(".png", np.zeros((1024, 1024), np.uint8))[1].tobytes()
    body = PART + image + b"\r\n--b--\r\n"
    head = HEAD.replace(b"/predict", b"/view") + b"Content-Length: %d\r\n\r\n" % len(body)
    with gateway(settings_with(header_timeout_seconds=SHORT)) as service, ExitStack() as stack:
        for _ in range(4):
            unread = stack.enter_context(socket.socket())
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            unread.connect((service.base_url.host, service.base_url.port))
            unread.sendall(head + body)
        wait_until(lambda: 'route="/view",status="200"} 4.0' in service.get("/metrics").text)
        assert metric(service, "covidscan_received_bytes") == 0
        wait_until(lambda: metric(service, "covidscan_connections") == 1)
