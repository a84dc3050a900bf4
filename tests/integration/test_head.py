"""``HEAD`` wherever there is ``GET``, and 405 with the methods that there are."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.routing import Mount

from api.app import create_app
from tests.integration.conftest import gateway
from tests.integration.routes import STATIC, all_routes, settings_with

CHANGING = {"date", "x-request-id"}


def get_paths() -> list[str]:
    """Every path that has ``GET``, a file of each folder, and some that have none."""
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
def test_head_is_answered_as_get_without_a_body(service: httpx.Client, path: str):
    get, head = service.get(path), service.head(path)
    assert head.status_code == get.status_code
    assert head.status_code != 405
    assert head.content == b""
    told = [{k: v for k, v in each.headers.items() if k not in CHANGING} for each in (get, head)]
    if path == "/metrics":
        # It counts the request before.
        told = [{**each, "content-length": "?"} for each in told]
    assert told[0] == told[1]
    # Nothing that was sent stands before the next answer on the connection.
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
def test_a_wrong_method_is_told_the_right_ones(
    service: httpx.Client, method: str, path: str, allowed: set[str]
):
    response = service.request(method, path)
    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == allowed


def test_head_is_in_the_log_and_the_metrics_as_head(service: httpx.Client):
    service.head("/models")
    assert 'method="HEAD",route="/models",status="200"' in service.get("/metrics").text


def test_head_is_no_operation_of_the_api_s_document(service: httpx.Client):
    operations = service.get("/openapi.json").json()["paths"].values()
    assert not any("head" in methods for methods in operations)


def test_head_needs_a_key_and_counts_as_get_does(key: str, keys_file: Path):
    settings = settings_with(api_keys_file=keys_file, rate_limit_per_address="3/minute")
    with gateway(settings) as client:
        assert client.head("/models").status_code == 401
        headers = {"X-API-Key": key}
        statuses = [client.head("/models", headers=headers).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
