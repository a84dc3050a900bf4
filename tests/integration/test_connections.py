"""Connections of clients that are slow, send endlessly or do not speak HTTP, over raw sockets."""

import json
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from api.settings import MEBIBYTE, Settings
from tests.integration.conftest import gateway
from tests.service_process import wait_until

SHORT = 0.3
"""A timeout in seconds for tests that wait until it expires."""

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'


SETTINGS = Settings(
    _env_file=None,
    model_server="127.0.0.1:1",
    max_connections=4,
    max_upload_bytes=35_000,
    max_batch_bytes=35_000,
    max_received_bytes=40_000,
)
"""A gateway with low limits and without a model server."""


@pytest.fixture
def service() -> Iterator[httpx.Client]:
    """A gateway with short timeouts."""
    short = {
        "header_timeout_seconds": SHORT,
        "body_timeout_seconds": SHORT,
        "idle_timeout_seconds": 1,
    }
    with gateway(SETTINGS.model_copy(update=short)) as client:
        yield client


@pytest.fixture
def service_with_long_timeouts() -> Iterator[httpx.Client]:
    """A gateway whose timeouts do not expire during a test."""
    long = {
        "header_timeout_seconds": 300,
        "body_timeout_seconds": 300,
        "idle_timeout_seconds": 300,
    }
    with gateway(SETTINGS.model_copy(update=long)) as client:
        yield client


@contextmanager
def connection(service: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((service.base_url.host, service.base_url.port), 60) as opened:
        yield opened


def read_to_end(opened: socket.socket) -> bytes:
    received = b""
    while more := opened.recv(65536):
        received += more
    return received


def problem_at_the_end(opened: socket.socket, status: int) -> str:
    """Assert that the connection gets a problem and is closed; return the type of the problem."""
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
def test_a_head_that_does_not_arrive_in_time_is_answered_408(service: httpx.Client, sent: bytes):
    with connection(service) as slow:
        slow.sendall(sent)
        assert problem_at_the_end(slow, 408) == "too-slow"


def test_a_head_that_arrives_byte_by_byte_is_answered_408(service: httpx.Client):
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


def test_a_second_request_has_the_same_timeout_as_the_first(service: httpx.Client):
    with connection(service) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += slow.recv(65536)
        slow.sendall(b"GET /health")
        assert problem_at_the_end(slow, 408) == "too-slow"


def test_an_endless_head_is_not_read_to_the_end(service: httpx.Client):
    with connection(service) as endless:
        try:
            for _ in range(1000):
                endless.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)
        except ConnectionError:
            return
        pytest.fail("the gateway received 100 MB of a head")


def test_bytes_that_are_not_http_are_answered_400(service: httpx.Client):
    with connection(service) as opened:
        opened.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert problem_at_the_end(opened, 400) == "bad-request"


@pytest.mark.parametrize(
    "length", [b"Content-Length: 100000\r\n", b"Transfer-Encoding: chunked\r\n"]
)
def test_a_body_that_does_not_arrive_in_time_is_answered_408(service: httpx.Client, length: bytes):
    with connection(service) as slow:
        slow.sendall(HEAD + length + b"\r\n")
        assert problem_at_the_end(slow, 408) == "too-slow"


def test_a_body_that_stops_arriving_is_answered_408(service: httpx.Client):
    with connection(service) as slow:
        slow.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + PART + b"x" * 1000)
        assert problem_at_the_end(slow, 408) == "too-slow"


def test_a_body_that_arrives_steadily_may_take_longer_than_the_body_timeout():
    """Each 16 KiB extends the timeout by 1 s; ``unit/api/http/test_uploads.py`` has exact times."""
    end = b"\r\n--b--\r\n"
    limits = {"max_upload_bytes": 100_000, "max_received_bytes": 200_000}
    settings = SETTINGS.model_copy(update={"body_timeout_seconds": 1, **limits})
    with gateway(settings) as service, connection(service) as steady:
        steady.sendall(HEAD + b"Content-Length: 81920\r\n\r\n")
        for piece in (PART.ljust(16384, b"x"), *[b"x" * 16384] * 3):
            steady.sendall(piece)
            time.sleep(0.3)
        steady.sendall(b"x" * (16384 - len(end)) + end)
        assert steady.recv(65536).startswith(b"HTTP/1.1 415 ")


def test_an_idle_connection_is_closed(service: httpx.Client):
    with connection(service) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_to_end(idle).startswith(b"HTTP/1.1 200")


def test_a_slow_body_for_an_unknown_path_does_not_keep_its_connection_open(service: httpx.Client):
    with connection(service) as endless:
        endless.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
        try:
            for _ in range(10_000):
                endless.sendall(b"x" * 1000)
                time.sleep(0.005)
        except ConnectionError:
            return
        pytest.fail("the gateway received the whole body")


def test_excess_connections_are_answered_503_and_the_others_stay_open(
    service_with_long_timeouts: httpx.Client,
):
    service = service_with_long_timeouts
    assert service.get("/healthz").status_code == 200  # its connection stays open and counts
    with connection(service) as first, connection(service) as second, connection(service) as third:
        with connection(service) as fifth:
            assert problem_at_the_end(fifth, 503) == "overloaded"
        for opened in (first, second, third):
            opened.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert opened.recv(65536).startswith(b"HTTP/1.1 200")


def test_the_upload_budget_limits_all_bodies_together_and_is_freed_when_connections_end(
    service_with_long_timeouts: httpx.Client,
):
    service = service_with_long_timeouts
    held = HEAD + b"Content-Length: 100000\r\n\r\n" + PART + b"x" * 25_000
    with connection(service) as first, connection(service) as second:
        first.sendall(held)
        second.sendall(held)
        (rejected,), _, _ = select.select([first, second], [], [], 60)
        # Nothing more is sent, so the gateway does not keep reading.
        rejected.shutdown(socket.SHUT_WR)
        assert problem_at_the_end(rejected, 503) == "overloaded"
    wait_until(lambda: "\ncovidscan_received_bytes 0.0\n" in service.get("/metrics").text)
    with connection(service) as third:
        third.sendall(held)
        wait_until(lambda: metric(service, "covidscan_received_bytes") > 25_000)
        third.sendall(b"x")
        wait_until(lambda: metric(service, "covidscan_received_bytes") > len(PART) + 25_000)


def test_a_client_that_does_not_read_its_responses_is_disconnected(service: httpx.Client):
    request = b"GET /static/vendor/bootstrap/bootstrap.min.css HTTP/1.1\r\nHost: x\r\n\r\n"
    with connection(service) as unread:
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            for _ in range(500):
                unread.sendall(request)
                time.sleep(0.02)
        except ConnectionError:
            return
        pytest.fail("the gateway did not close the connection")


def test_trailers_after_a_body_are_not_stored(service: httpx.Client):
    before = metric(service, "process_resident_memory_bytes")
    head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    with connection(service) as endless:
        endless.sendall(head)
        try:
            for _ in range(200):
                endless.sendall(b"a:\r\n" * 16_000)
        except ConnectionError:
            pass
    grown = metric(service, "process_resident_memory_bytes") - before
    assert grown < 64 * MEBIBYTE, "three million stored trailers would take 400 MiB"


def test_a_client_that_pipelines_endlessly_is_disconnected(service: httpx.Client):
    with connection(service) as pipelining:
        try:
            for _ in range(2_000):
                pipelining.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        except ConnectionError:
            return
    pytest.fail("the gateway accepted 400,000 pipelined requests")


def test_a_few_pipelined_requests_are_answered_in_order(service: httpx.Client):
    with connection(service) as pipelining:
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        pipelining.sendall(request * 3 + request.replace(b"healthz", b"nowhere"))
        received = read_to_end(pipelining)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"200", b"200", b"404"]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/"])
def test_a_disconnect_during_a_body_is_not_a_server_error(
    service_with_long_timeouts: httpx.Client, path: str
):
    service = service_with_long_timeouts
    with connection(service) as leaving:
        head = HEAD.replace(b"/predict", path.encode())
        leaving.sendall(head + b"Content-Length: 20000\r\n\r\n" + PART)
        wait_until(lambda: metric(service, "covidscan_requests_in_progress") == 2)
    wait_until(lambda: metric(service, "covidscan_requests_in_progress") == 1)
    metrics = service.get("/metrics").text
    assert f'method="POST",route="{path}",status="400"}} 1.0' in metrics
    assert 'status="500"' not in metrics


def test_connections_rejected_before_a_request_are_counted(service: httpx.Client):
    with connection(service) as opened:
        opened.sendall(b"hello\r\n\r\n")
        read_to_end(opened)
    assert 'covidscan_rejected_connections_total{status="400"} 1.0' in service.get("/metrics").text


def test_an_unread_body_is_discarded_up_to_a_limit(service: httpx.Client):
    with connection(service) as endless:
        head = b"POST /predict HTTP/1.1\r\nHost: [\r\nContent-Length: 999999999\r\n\r\n"
        endless.sendall(head)
        sent = 0
        try:
            for _ in range(999):
                endless.sendall(bytes(MEBIBYTE))
                sent += 1
        except ConnectionError:
            pass
    assert sent < 100
    wait_until(lambda: metric(service, "covidscan_connections") == 1)


def metric(service: httpx.Client, name: str) -> float:
    (value,) = re.findall(rf"^{name} (\S+)$", service.get("/metrics").text, re.MULTILINE)
    return float(value)
