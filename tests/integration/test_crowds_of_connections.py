"""Crowds of connections, and clients that do not listen: what the others still get."""

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
from covidscan.service.connection_slots import RESERVED
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
def crowded() -> Iterator[httpx.Client]:
    """A gateway with room for few connections, and time for each."""
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
    """The status of a health check on a connection of its own, from an address of this machine."""
    with socket.create_connection(
        (service.base_url.host, service.base_url.port), 10, (source, 0)
    ) as opened:
        opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return int(read_to_end(opened).split()[1])


def test_beside_a_crowd_of_one_address_others_have_room_and_health_is_told(crowded: httpx.Client):
    address = (crowded.base_url.host, crowded.base_url.port)
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(address, 10, ("127.0.0.2", 0)))
            for _ in range(200)
        ]
        for opened in slow:
            opened.sendall(b"GET / HTTP/1.1\r\nX: ")
        for _ in range(5):
            assert health(crowded, "127.0.0.2") == 200
            assert health(crowded, "127.0.0.3") == 200
        # It has a place like any other: it asks for more than its health.
        assert crowded.get("/models").status_code == 200
        with socket.create_connection(address, 10, ("127.0.0.2", 0)) as too_many:
            too_many.sendall(b"GET /models HTTP/1.1\r\nHost: x\r\n\r\n")
            assert problem_at_the_end(too_many, 503) == "overloaded"
        assert metric(crowded, "covidscan_connections") <= 6 + 1 + RESERVED
    wait_until(lambda: metric(crowded, "covidscan_connections") == 1)


def test_where_all_places_are_taken_health_is_told_all_the_same(crowded: httpx.Client):
    address = (crowded.base_url.host, crowded.base_url.port)
    with ExitStack() as stack:
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            for _ in range(6):
                stack.enter_context(socket.create_connection(address, 10, (source, 0)))
        assert health(crowded, "127.0.0.5") == 200
    wait_until(lambda: metric(crowded, "covidscan_connections") == 1)


def test_a_connection_that_cannot_be_accepted_is_counted_and_does_not_hold_up_the_others(
    crowded: httpx.Client, monkeypatch: pytest.MonkeyPatch
):
    accept, failures = socket.socket.accept, 3

    def fail(listener: socket.socket) -> tuple[socket.socket, tuple[str, int]]:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", fail)
    assert health(crowded, "127.0.0.2") == 200
    assert 'covidscan_accept_errors_total{error="EMFILE"} 3.0' in crowded.get("/metrics").text


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
def test_a_client_that_sends_all_first_sees_why_it_is_rejected(
    path: str, headers: dict[str, str], size: int, status: int
):
    key, record = create_key("pacs")
    settings = Settings(
        _env_file=None,
        model_server="127.0.0.1:1",
        api_keys=str(record),
    )
    with gateway(settings) as client:
        plain = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 80)
        boundary = {"Content-Type": "multipart/form-data; boundary=b", "X-API-Key": key}
        plain.request("POST", path, PART + bytes(size), boundary | headers)
        assert plain.getresponse().status == status
        plain.close()
        assert client.get("/healthz").status_code == 200


def test_a_large_answer_that_is_not_read_is_given_up_and_forgotten():
    image = cv2.imencode(".png", np.zeros((1024, 1024), np.uint8))[1].tobytes()
    body = PART + image + b"\r\n--b--\r\n"
    head = HEAD.replace(b"/predict", b"/view") + b"Content-Length: %d\r\n\r\n" % len(body)
    with gateway(settings_with(header_timeout_seconds=SHORT)) as service, ExitStack() as stack:
        for _ in range(4):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect((service.base_url.host, service.base_url.port))
            deaf.sendall(head + body)
        wait_until(lambda: 'route="/view",status="200"} 4.0' in service.get("/metrics").text)
        assert metric(service, "covidscan_received_bytes") == 0
        wait_until(lambda: metric(service, "covidscan_connections") == 1)
