"""Authentication by API key, and the protection against cross-site requests."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.access.api_keys import create_key
from api.http.access.key_file import change_key_file, read_key_file
from tests.integration.conftest import gateway
from tests.integration.routes import paths, settings_with
from tests.service_process import wait_until

PUBLIC_PATHS = {"/healthz", "/readyz"}


@pytest.fixture
def gateway_with_keys(key: str, keys_file: Path) -> Iterator[httpx.Client]:
    """A gateway that requires API keys."""
    assert key
    with gateway(settings_with(api_keys_file=keys_file)) as client:
        yield client


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"user:{key}".encode()).decode()


def test_the_tested_paths_include_every_kind_of_route():
    assert {"/", "/predict", "/predict/batch", "/models", "/metrics", "/docs"} <= set(paths())
    assert {"/openapi.json", "/static/page.css", "/docs-assets/swagger-ui.css"} <= set(paths())
    assert set(paths()) >= PUBLIC_PATHS


def test_without_an_accepted_key_every_route_but_health_is_answered_401(
    gateway_with_keys: httpx.Client, key: str, keys_file: Path
):
    revoked, revoked_record = create_key("old")
    change_key_file(keys_file, lambda _: [*read_key_file(keys_file), revoked_record])
    wait_until(
        lambda: gateway_with_keys.get("/models", headers={"X-API-Key": revoked}).status_code == 200,
    )
    change_key_file(keys_file, lambda _: read_key_file(keys_file)[:1])
    wait_until(
        lambda: gateway_with_keys.get("/models", headers={"X-API-Key": revoked}).status_code == 401,
    )
    wrong = create_key("unregistered")[0]
    attempts: dict[str, dict[str, Any]] = {
        "no key": {},
        "a wrong key": {"headers": {"X-API-Key": wrong}},
        "a wrong key as bearer": {"headers": {"Authorization": f"Bearer {wrong}"}},
        "a wrong key as password": {"headers": {"Authorization": basic(wrong)}},
        "a revoked key": {"headers": {"X-API-Key": revoked}},
        "a key's record": {"headers": {"X-API-Key": str(read_key_file(keys_file)[0])}},
        "in the query": {"params": {"api_key": key, "X-API-Key": key}},
        "in a cookie": {"headers": {"Cookie": f"X-API-Key={key}"}},
        "in another header": {"headers": {"X-Key": key}},
        "in Authorization without a scheme": {"headers": {"Authorization": key}},
        "as the Basic user name": {
            "headers": {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}
        },
        "invalid Basic credentials": {"headers": {"Authorization": "Basic !"}},
        "empty": {"headers": {"X-API-Key": "", "Authorization": "Bearer"}},
    }
    for path in paths():
        for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"):
            for attempt, arguments in attempts.items():
                response = gateway_with_keys.request(method, path, **arguments)
                case = f"{method} {path} with {attempt}"
                if path in PUBLIC_PATHS:
                    # 422: readiness rejects unknown query parameters.
                    assert response.status_code in (200, 405, 422, 503), case
                    continue
                assert response.status_code == 401, case
                assert response.headers["content-type"] == "application/problem+json", case
                challenges = response.headers.get_list("www-authenticate")
                assert [each.split()[0] for each in challenges] == ["Basic", "Bearer"], case
                assert key not in response.text, case


def test_the_body_of_a_request_without_a_key_is_not_read_to_the_end(
    gateway_with_keys: httpx.Client,
):
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 100_000
            yield b"x" * 100_000

    try:
        response = gateway_with_keys.post("/predict", content=body())
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        pass
    else:
        assert response.status_code == 401
    assert sent < 100_000_000


@pytest.mark.parametrize("credential", ["bearer", "header", "password"])
def test_an_accepted_key_gives_access_to_every_route(
    gateway_with_keys: httpx.Client, key: str, credential: str
):
    headers = {
        "bearer": {"Authorization": f"Bearer {key}"},
        "header": {"X-API-Key": key},
        "password": {"Authorization": basic(key)},
    }[credential]
    for path in paths():
        status = gateway_with_keys.get(path, headers=headers).status_code
        assert status not in (401, 403), path


def test_keys_from_the_file_and_from_the_environment_are_all_accepted(keys_file: Path, key: str):
    (second, second_record), (third, third_record) = create_key("ris"), create_key("lab")
    settings = settings_with(api_keys_file=keys_file, api_keys=f"{second_record} {third_record}")
    with gateway(settings) as client:
        for each in (key, second, third):
            assert client.get("/models", headers={"X-API-Key": each}).status_code == 200


@pytest.mark.parametrize(
    ("origin_headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 422),
        # Over plain HTTP, browsers send only the origin.
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://scan.example"}, 422),
        ({}, 422),
    ],
)
def test_a_page_of_another_site_cannot_use_the_key_that_a_browser_has_stored(
    gateway_with_keys: httpx.Client, key: str, origin_headers: dict[str, str], status: int
):
    headers = {"Authorization": basic(key), "Host": "scan.example", **origin_headers}
    assert gateway_with_keys.post("/predict", headers=headers).status_code == status
    assert gateway_with_keys.get("/", headers=headers).status_code == 200, (
        "another site may link to the page"
    )
    bearer = {"Authorization": f"Bearer {key}", "Host": "scan.example", **origin_headers}
    assert gateway_with_keys.post("/predict", headers=bearer).status_code == 422


def test_the_openapi_document_describes_how_to_send_a_key(
    gateway_with_keys: httpx.Client, key: str
):
    document = gateway_with_keys.get("/openapi.json", headers={"X-API-Key": key}).json()
    schemes = document["components"]["securitySchemes"].values()
    assert {scheme["type"] for scheme in schemes} == {"http", "apiKey"}
    assert document["paths"]["/predict"]["post"]["security"]
    assert "security" not in document["paths"]["/healthz"]["get"]
