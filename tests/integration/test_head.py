"""Every route with ``GET`` also has ``HEAD``; a wrong method is answered 405 with ``Allow``."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import Mount

from api.app import create_app
from tests.integration.conftest import gateway
from tests.integration.routes import STATIC, all_routes, settings_with

VARYING_HEADERS = {"date", "x-request-id"}


def get_paths() -> list[str]:
    """Every path with ``GET``, one file of each static folder, and two paths that do not exist."""
    routes = list(all_routes(create_app(settings_with()).routes))
    found = {r.path for r in routes if isinstance(r, Mount) or "GET" in (r.methods or ())}
    assert {"/", "/docs", "/openapi.json", "/metrics", "/models", "/healthz", "/readyz"} <= found
    assert set(STATIC) <= found
    return sorted({*(STATIC.get(path, path) for path in found), "/nowhere", "/static/nothing"})


@pytest.fixture(scope="module")
def service() -> Iterator[httpx.Client]:
    with gateway(settings_with()) as client:
        yield client


@pytest.mark.parametrize("path", get_paths())
def test_head_has_the_status_and_headers_of_get_and_no_body(service: httpx.Client, path: str):
    get, head = service.get(path), service.head(path)
    assert head.status_code == get.status_code
    assert head.status_code != 405
    assert head.content == b""
    compared = [
        {k: v for k, v in each.headers.items() if k not in VARYING_HEADERS} for each in (get, head)
    ]
    if path == "/metrics":
        # The second response also counts the first request.
        compared = [{**each, "content-length": "?"} for each in compared]
    assert compared[0] == compared[1]
    # No leftover body precedes the next response on the connection.
    assert service.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/", {"GET", "HEAD", "POST"}),
        ("PUT", "/models", {"GET", "HEAD"}),
        ("GET", "/predict", {"POST"}),
        ("HEAD", "/predict", {"POST"}),
        ("HEAD", "/view", {"POST"}),
        ("PATCH", "/predict/batch", {"POST"}),
        ("OPTIONS", "/explain", {"POST"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}),
        ("POST", "/static/page.css", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_answered_405_with_the_allowed_methods(
    service: httpx.Client, method: str, path: str, allowed: set[str]
):
    response = service.request(method, path)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == allowed


def test_metrics_count_head_requests_as_head(service: httpx.Client):
    service.head("/models")
    assert 'method="HEAD",route="/models",status="200"' in service.get("/metrics").text


def test_the_openapi_document_does_not_list_head(service: httpx.Client):
    operations = service.get("/openapi.json").json()["paths"].values()
    assert not any("head" in methods for methods in operations)


def test_head_requires_an_api_key_and_counts_towards_the_rate_limit(key: str, keys_file: Path):
    settings = settings_with(api_keys_file=keys_file, rate_limit_per_address="3/minute")
    with gateway(settings) as client:
        assert client.head("/models").status_code == 401
        headers = {"X-API-Key": key}
        statuses = [client.head("/models", headers=headers).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
