"""Malformed and unusual request heads are never answered 500."""

import base64
from collections.abc import Iterator

import httpx
import pytest

from api.http.access.api_keys import create_key
from tests.integration.conftest import gateway
from tests.integration.routes import settings_with
from tests.integration.test_connections import connection, problem_at_the_end, read_to_end

KEY, RECORD = create_key("pacs")
BASIC = b"Authorization: Basic " + base64.b64encode(f"x:{KEY}".encode())
KIB = 1024


@pytest.fixture(scope="module")
def service() -> Iterator[httpx.Client]:
    with gateway(settings_with(api_keys=str(RECORD))) as client:
        yield client


def status(service: httpx.Client, sent: bytes) -> int:
    with connection(service) as opened:
        opened.sendall(sent)
        return int(read_to_end(opened).split()[1])


def get(path: bytes, *headers: bytes, host: bytes = b"Host: x") -> bytes:
    lines = [b"GET " + path + b" HTTP/1.1", host, b"Connection: close", *headers]
    return b"\r\n".join([line for line in lines if line] + [b"", b""])


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (get(b"/healthz"), 200),
        (get(b"/healthz", b"Host: x"), 400),
        (get(b"/healthz", b"Host: y"), 400),
        (get(b"/healthz", host=b""), 400),
        (get(b"/healthz", host=b"Host:"), 400),
        (get(b"/healthz", host=b"Host: ["), 400),
        (get(b"/healthz", host=b"Host: a@b"), 400),
        (get(b"/healthz", host=b"Host: a/b"), 400),
        (get(b"/healthz", host=b"Host: [::1]:80"), 200),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (get(b"/models", b"Authorization: Basic \xe9"), 401),
        (get(b"/models", b"Authorization: Basic " + base64.b64encode(b"\xff:\xff")), 401),
        (get(b"/models", BASIC), 200),
        (get(b"/\xe9", BASIC), 400),
        (get(b"/static/%00", BASIC), 404),
        (get(b"/static/%ED%A0%80", BASIC), 404),
        (get(b"/static/" + b"a" * 5000, BASIC), 404),
        (get(b"//[", BASIC), 404),
        (get(b"/static/page.css", BASIC, b"Range: bytes=9-1,x"), 200),
        (get(b"/static/page.css", BASIC, b"If-Modified-Since: , 9, ,"), 200),
        (get(b"/static/page.css", BASIC, b"If-Modified-Since: 3 Apr " + b"9" * 5000), 200),
        (get(b"/static/page.css", BASIC, b"If-None-Match: *"), 304),
        (get(b"/healthz", b"X: a", b" b"), 400),
        (get(b"/healthz", b"X : a"), 400),
        (get(b"/healthz", b"Content-Length: 1", b"Content-Length: 2"), 400),
        (get(b"/healthz", b"Content-Length: 99999999999999999999"), 400),
        (get(b"/healthz", b"Connection: Upgrade", b"Upgrade: h2c"), 200),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else None,
)
def test_an_unusual_head_gets_the_expected_status_and_never_500(
    service: httpx.Client, sent: bytes, expected: int
):
    assert status(service, sent) == expected


@pytest.mark.parametrize("origin", [b"http://[", b"http://[::1", b"\xe9", b"//", b"http://\x09x"])
def test_an_invalid_origin_is_answered_403(service: httpx.Client, origin: bytes):
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"
    assert status(service, head + BASIC + b"\r\nOrigin: " + origin + b"\r\n\r\n") == 403


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([b"X: " + b"a" * 31 * KIB], 200),
        ([b"X: " + b"a" * 33 * KIB], 431),
        ([b"X%d: " % number + b"a" * KIB for number in range(30)], 200),
        ([b"X%d: " % number + b"a" * KIB for number in range(33)], 431),
        ([b"X: " + b" " * 40 * KIB + b"a"], 431),
        ([b"a: b"] * 98, 200),
        ([b"a: b"] * 99, 431),
        ([b"a:"] * 60_000, 431),
    ],
    ids=str,
)
def test_a_head_over_32_kib_or_100_headers_is_answered_431(
    service: httpx.Client, headers: list[bytes], expected: int
):
    assert status(service, get(b"/healthz", *headers)) == expected


def test_the_path_counts_towards_the_size_of_the_head(service: httpx.Client):
    with connection(service) as opened:
        opened.sendall(get(b"/healthz?" + b"a" * 33 * KIB))
        assert problem_at_the_end(opened, 431) == "too-large"


HOSTS = ["scan.example", "scan.example:8000", "127.0.0.1.evil.example", "evil.test."]


@pytest.mark.parametrize("host", HOSTS)
def test_a_loopback_gateway_without_keys_rejects_other_host_names(host: str):
    with gateway(settings_with()) as client:
        rejected = client.get("/models", headers={"Host": host})
        assert rejected.status_code == 400
        assert rejected.json()["type"] == "urn:covidscan:problem:invalid-host"
        assert host not in rejected.text
        assert client.get("/healthz", headers={"Host": host}).status_code == 200
        for local in ("localhost", "LOCALHOST:1", "a.localhost", "127.0.0.1", "[::1]:8000", "api"):
            assert client.get("/models", headers={"Host": local}).status_code == 200, local


def test_only_allowed_hosts_and_ip_addresses_are_answered():
    settings = settings_with(allowed_hosts=["scan.example", "*.clinic.example"])
    with gateway(settings) as client:
        expected = {
            "scan.example": 200,
            "Scan.Example.:80": 200,
            "a.clinic.example": 200,
            "clinic.example": 400,
            "evilclinic.example": 400,
            "other.example": 400,
            "10.1.2.3": 200,
        }
        answered = {
            host: client.get("/models", headers={"Host": host}).status_code for host in expected
        }
    assert answered == expected


def test_a_published_gateway_accepts_any_host_name():
    with gateway(settings_with(publish="8000", allow_anonymous=True)) as client:
        assert client.get("/models", headers={"Host": "scan.example"}).status_code == 200
