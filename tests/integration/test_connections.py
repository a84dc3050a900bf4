"""Connections of clients that are slow, endless or no HTTP, over bare sockets."""

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from api.settings import Settings
from tests.integration.conftest import gateway
from tests.service_process import wait_until

SHORT = 0.3
"""Seconds that a client has."""

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'


@pytest.fixture
def service() -> Iterator[httpx.Client]:
    """A gateway that waits for nobody, without a model server."""
    settings = Settings(
        _env_file=None,
        model_server="127.0.0.1:1",
        header_timeout_seconds=SHORT,
        body_timeout_seconds=SHORT,
        idle_timeout_seconds=1,
        max_connections=4,
        max_received_bytes=40_000,
    )
    with gateway(settings) as client:
        yield client


@contextmanager
def connection(service: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((service.base_url.host, service.base_url.port), 10) as opened:
        yield opened


def read_to_end(opened: socket.socket) -> bytes:
    received = b""
    while more := opened.recv(65536):
        received += more
    return received


def problem_at_the_end(opened: socket.socket, status: int) -> str:
    """The connection is answered with a problem and closed; gives its type."""
    head, _, body = read_to_end(opened).partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0].startswith(f"http/1.1 {status} "), head
    assert "connection: close" in lines
    assert "content-type: application/problem+json" in lines
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["detail"]
    return str(problem["type"]).removeprefix("urn:covidscan:problem:")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", HEAD])
def test_a_head_that_does_not_come_in_time_is_given_up(service: httpx.Client, sent: bytes):
    with connection(service) as slow:
        slow.sendall(sent)
        assert problem_at_the_end(slow, 408) == "too-slow"


def test_a_head_that_comes_byte_by_byte_is_given_up_too(service: httpx.Client):
    with connection(service) as slow:
        slow.settimeout(0.02)
        slow.sendall(b"GET / HTTP/1.1\r\nX: ")
        received = b""
        for _ in range(500):
            slow.sendall(b"x")
            try:
                received = slow.recv(65536)
            except TimeoutError:
                continue
            break
    assert received.startswith(b"HTTP/1.1 408 ")


def test_a_second_request_has_as_little_time_as_the_first(service: httpx.Client):
    with connection(service) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += slow.recv(65536)
        slow.sendall(b"GET /health")
        assert problem_at_the_end(slow, 408) == "too-slow"


def test_an_endless_head_is_cut_off(service: httpx.Client):
    with connection(service) as endless:
        try:
            for _ in range(1000):
                endless.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
        except ConnectionError:
            return
        pytest.fail("a hundred million bytes of a head were taken in")


def test_what_is_no_http_is_a_problem(service: httpx.Client):
    with connection(service) as stranger:
        stranger.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert problem_at_the_end(stranger, 400) == "bad-request"


@pytest.mark.parametrize(
    "length", [b"Content-Length: 100000\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_a_body_that_does_not_come_in_time_is_given_up(service: httpx.Client, length: bytes):
    with connection(service) as slow:
        slow.sendall(HEAD + length + b"\r\n")
        assert problem_at_the_end(slow, 408) == "too-slow"


def test_a_body_that_stops_is_given_up(service: httpx.Client):
    with connection(service) as slow:
        slow.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + PART + b"x" * 1000)
        assert problem_at_the_end(slow, 408) == "too-slow"


def test_a_body_that_comes_steadily_has_the_time_it_needs(service: httpx.Client):
    """32 KiB earn two seconds beside the short time that is given anyway."""
    with connection(service) as steady:
        steady.sendall(HEAD + b"Content-Length: 32768\r\n\r\n" + PART)
        left = 32768 - len(PART)
        end = b"\r\n--b--\r\n"
        steady.sendall(b"x" * (left - len(end)))
        time.sleep(3 * SHORT)
        steady.sendall(end)
        assert steady.recv(65536).startswith(b"HTTP/1.1 415 ")


def test_a_connection_between_two_requests_is_closed_after_a_while(service: httpx.Client):
    with connection(service) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_to_end(idle).startswith(b"HTTP/1.1 200")


def test_a_body_to_nowhere_does_not_keep_its_connection(service: httpx.Client):
    with connection(service) as endless:
        endless.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        try:
            for _ in range(10_000):
                endless.sendall(b"x" * 1000)
                time.sleep(0.005)
        except ConnectionError:
            return
        pytest.fail("it was taken in to its end")


def test_too_many_connections_are_refused_and_the_others_stay(service: httpx.Client):
    assert service.get("/healthz").status_code == 200  # and its connection stays open
    with connection(service) as first, connection(service) as second, connection(service) as third:
        with connection(service) as fifth:
            assert problem_at_the_end(fifth, 503) == "overloaded"
        for opened in (first, second, third):
            opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert opened.recv(65536).startswith(b"HTTP/1.1 200")


def test_bodies_together_have_a_bound_and_give_it_back(service: httpx.Client):
    held = HEAD + b"Content-Length: 100000\r\n\r\n" + PART + b"x" * 25_000
    with connection(service) as first, connection(service) as second:
        first.sendall(held)
        second.sendall(held)
        (refused,), _, _ = select.select([first, second], [], [], 10)
        assert problem_at_the_end(refused, 503) == "overloaded"
    wait_until(lambda: "\ncovidscan_received_bytes 0.0\n" in service.get("/metrics").text)
    with connection(service) as third:
        third.sendall(held)
        assert problem_at_the_end(third, 408) == "too-slow"


def test_a_client_that_does_not_read_is_given_up(service: httpx.Client):
    request = b"GET /static/vendor/bootstrap/bootstrap.min.css HTTP/1.1\r\nHost: x\r\n\r\n"
    with connection(service) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            for _ in range(500):
                deaf.sendall(request)
                time.sleep(0.02)
        except ConnectionError:
            return
        pytest.fail("it was written to all the same")
