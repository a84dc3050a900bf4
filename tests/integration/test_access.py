"""The door of the gateway: who comes in, how often, and what browsers are told."""

import base64
import ssl
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Mount, Route

from api.access.api_keys import create_key
from api.access.key_file import change_key_file, read_key_file
from api.app import create_app
from api.model_status import ModelStatusReader
from api.settings import Settings
from tests.integration.conftest import gateway
from tests.service_process import COVIDSCAN, wait_until

NOWHERE = "127.0.0.1:1"
"""A model server that is not there: the door is in front of it."""

OPEN = {"/healthz", "/readyz"}


def settings_with(**changes: object) -> Settings:
    return Settings(_env_file=None, model_server=NOWHERE, status_timeout_seconds=0.2, **changes)


STATIC = {"/static": "/static/page.css", "/docs-assets": "/docs-assets/swagger-ui.css"}


def paths() -> list[str]:
    """A path to every route that the gateway has, and to none."""
    found = {route.path for route in all_routes(create_app(settings_with()).routes)}
    return sorted({*(STATIC.get(path, path) for path in found), "/nowhere"})


def all_routes(routes: Iterable[Any]) -> Iterator[Route | Mount]:
    """Routes, and those of routers that are included."""
    for route in routes:
        if isinstance(route, Route | Mount):
            yield route
        else:
            yield from all_routes(route.original_router.routes)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def key(keys_file: Path) -> str:
    key, record = create_key("pacs")
    change_key_file(keys_file, lambda _: [record])
    return key


@pytest.fixture
def guarded(key: str, keys_file: Path) -> Iterator[httpx.Client]:
    """A gateway that asks for keys."""
    assert key
    with gateway(settings_with(api_keys_file=keys_file)) as client:
        yield client


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"anybody:{key}".encode()).decode()


def test_there_are_routes_of_every_kind():
    assert {"/", "/predict", "/predict/batch", "/models", "/metrics", "/docs"} <= set(paths())
    assert {"/openapi.json", "/static/page.css", "/docs-assets/swagger-ui.css"} <= set(paths())
    assert set(paths()) >= OPEN


def test_without_an_accepted_key_every_route_but_health_is_closed(
    guarded: httpx.Client, key: str, keys_file: Path
):
    revoked, revoked_record = create_key("old")
    change_key_file(keys_file, lambda _: [*read_key_file(keys_file), revoked_record])
    wait_until(
        lambda: guarded.get("/models", headers={"X-API-Key": revoked}).status_code == 200,
    )
    change_key_file(keys_file, lambda _: read_key_file(keys_file)[:1])
    wait_until(
        lambda: guarded.get("/models", headers={"X-API-Key": revoked}).status_code == 401,
    )
    wrong = create_key("stranger")[0]
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
        "bare in Authorization": {"headers": {"Authorization": key}},
        "as the user of Basic": {
            "headers": {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}
        },
        "broken Basic": {"headers": {"Authorization": "Basic !"}},
        "empty": {"headers": {"X-API-Key": "", "Authorization": "Bearer"}},
    }
    for path in paths():
        for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"):
            for attempt, arguments in attempts.items():
                response = guarded.request(method, path, **arguments)
                case = f"{method} {path} with {attempt}"
                if path in OPEN:
                    assert response.status_code in (200, 405, 503), case
                    continue
                assert response.status_code == 401, case
                assert response.headers["content-type"] == "application/problem+json", case
                challenges = response.headers.get_list("www-authenticate")
                assert [each.split()[0] for each in challenges] == ["Basic", "Bearer"], case
                assert key not in response.text, case


def test_the_body_of_a_stranger_is_not_read(guarded: httpx.Client):
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 100_000
            yield b"x" * 100_000

    try:
        response = guarded.post("/predict", content=body())
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        pass
    else:
        assert response.status_code == 401
    assert sent < 100_000_000


@pytest.mark.parametrize("way", ["bearer", "header", "password"])
def test_a_key_opens_every_route(guarded: httpx.Client, key: str, way: str):
    headers = {
        "bearer": {"Authorization": f"Bearer {key}"},
        "header": {"X-API-Key": key},
        "password": {"Authorization": basic(key)},
    }[way]
    for path in paths():
        status = guarded.get(path, headers=headers).status_code
        assert status not in (401, 403), path


def test_several_keys_are_accepted_at_once_from_file_and_environment(keys_file: Path, key: str):
    (second, second_record), (third, third_record) = create_key("ris"), create_key("lab")
    settings = settings_with(api_keys_file=keys_file, api_keys=f"{second_record} {third_record}")
    with gateway(settings) as client:
        for each in (key, second, third):
            assert client.get("/models", headers={"X-API-Key": each}).status_code == 200


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 422),
        # Over plain HTTP there is the origin alone.
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://scan.example"}, 422),
        ({}, 422),
    ],
)
def test_a_page_of_another_site_cannot_use_the_key_that_a_browser_has_stored(
    guarded: httpx.Client, key: str, told: dict[str, str], status: int
):
    headers = {"Authorization": basic(key), "Host": "scan.example", **told}
    assert guarded.post("/predict", headers=headers).status_code == status
    assert guarded.get("/", headers=headers).status_code == 200, "a link may lead here"
    by_program = {"Authorization": f"Bearer {key}", "Host": "scan.example", **told}
    assert guarded.post("/predict", headers=by_program).status_code == 422


def test_with_keys_the_openapi_document_says_how_to_show_one(guarded: httpx.Client, key: str):
    document = guarded.get("/openapi.json", headers={"X-API-Key": key}).json()
    schemes = document["components"]["securitySchemes"].values()
    assert {scheme["type"] for scheme in schemes} == {"http", "apiKey"}
    assert document["paths"]["/predict"]["post"]["security"]
    assert "security" not in document["paths"]["/healthz"]["get"]


def test_an_address_that_asks_too_often_is_told_when_to_come_back():
    with gateway(settings_with(rate_limit_per_address="3/hour")) as client:
        statuses = [client.get("/models").status_code for _ in range(4)]
        refused = client.get("/nowhere")
        assert client.get("/healthz").status_code == 200
    assert statuses == [200, 200, 200, 429]
    assert refused.status_code == 429
    assert refused.json()["type"] == "urn:covidscan:problem:too-many-requests"
    assert 0 < int(refused.headers["retry-after"]) <= 3600


def test_a_key_s_images_are_counted_those_of_a_batch_each(keys_file: Path, key: str):
    other, other_record = create_key("other")
    change_key_file(keys_file, lambda _: [*read_key_file(keys_file), other_record])
    files = [("files", ("a.png", b"no image"))] * 3
    settings = settings_with(api_keys_file=keys_file, rate_limit_per_key="5/hour")
    with gateway(settings) as client:

        def batch(key: str) -> int:
            headers = {"X-API-Key": key}
            return client.post("/predict/batch", files=files, headers=headers).status_code

        assert [batch(key), batch(key), batch(other)] == [200, 429, 200]
        file = {"file": ("a.png", b"no image")}
        headers = {"X-API-Key": key}
        statuses = [
            client.post(path, files=file, headers=headers).status_code
            for path in ("/predict", "/", "/")
        ]
        assert statuses == [415, 415, 429]


@pytest.mark.parametrize(("trusted", "statuses"), [([], [200, 429]), (["127.0.0.1"], [200, 200])])
def test_only_a_trusted_proxy_s_word_is_taken_for_the_client_s_address(
    trusted: list[str], statuses: list[int]
):
    settings = settings_with(
        rate_limit_per_address="1/hour", trusted_proxies=trusted, allow_anonymous=True
    )
    with gateway(settings) as client:
        answered = [
            client.get("/models", headers={"X-Forwarded-For": address}).status_code
            for address in ("203.0.113.1", "203.0.113.2")
        ]
    assert answered == statuses


def test_addresses_of_one_ipv6_network_are_counted_together():
    settings = settings_with(
        rate_limit_per_address="1/hour", trusted_proxies=["127.0.0.1"], allow_anonymous=True
    )
    addresses = ("2001:db8::1", "2001:db8::ffff", "2001:db8:1::1", "::ffff:1.2.3.4", "1.2.3.4")
    with gateway(settings) as client:
        answered = [
            client.get("/models", headers={"X-Forwarded-For": address}).status_code
            for address in addresses
        ]
    assert answered == [200, 429, 200, 200, 429]


def test_every_answer_tells_browsers_what_to_forbid():
    with gateway(settings_with()) as client:
        for path in paths():
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["referrer-policy"] == "same-origin", path
            assert headers["x-frame-options"] == "DENY", path
            assert headers["cache-control"] == "no-store", path
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "frame-ancestors 'none'" in policy, path
            scripts = [part for part in policy.split(";") if "script-src" in part]
            assert scripts in ([], [" script-src 'self'"]), path
            assert "strict-transport-security" not in headers, path


def test_a_batch_that_no_limit_will_ever_let_in_is_too_large(keys_file: Path, key: str):
    files = [("files", ("a.png", b"no image"))] * 3
    settings = settings_with(api_keys_file=keys_file, rate_limit_per_key="2/second")
    with gateway(settings) as client:
        response = client.post("/predict/batch", files=files, headers={"X-API-Key": key})
    assert response.status_code == 413
    assert "2 per 1 second" in response.json()["detail"]


def test_an_error_of_ours_is_a_problem_like_any_other_and_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    async def fail(_: ModelStatusReader) -> None:
        raise RuntimeError("/secret/path of Muster^Maria")

    monkeypatch.setattr(ModelStatusReader, "read_all", fail)
    with gateway(settings_with()) as client:
        response = client.get("/models")
        assert client.get("/healthz").status_code == 200
        metrics = client.get("/metrics").text
    assert response.status_code == 500
    assert response.json()["type"] == "urn:covidscan:problem:internal-error"
    assert response.headers["x-request-id"] == response.json()["request_id"]
    assert response.headers["cache-control"] == "no-store"
    assert "secret" not in response.text
    assert 'route="/models",status="500"} 1.0' in metrics


def test_other_origins_may_call_only_where_they_are_named():
    origin = {"Origin": "https://viewer.example"}
    preflight = origin | {"Access-Control-Request-Method": "POST"}
    with gateway(settings_with()) as client:
        assert "access-control-allow-origin" not in client.get("/models", headers=origin).headers
        assert client.options("/predict", headers=preflight).status_code == 405
    key, record = create_key("viewer")
    with gateway(
        settings_with(cors_origins=["https://viewer.example"], api_keys=str(record))
    ) as client:
        assert client.options("/predict", headers=preflight).status_code == 200
        answered = client.get("/models", headers=origin | {"X-API-Key": key})
        assert answered.headers["access-control-allow-origin"] == "https://viewer.example"
        stranger = client.get("/models", headers={"Origin": "https://x.example", "X-API-Key": key})
        assert "access-control-allow-origin" not in stranger.headers


def test_docs_and_metrics_can_be_closed():
    with gateway(settings_with(docs=False, metrics=False)) as client:
        for path in ("/docs", "/openapi.json", "/docs-assets/swagger-ui.css", "/metrics"):
            assert client.get(path).status_code == 404, path
        assert client.get("/models").status_code == 200
        page = client.get("/")
    assert page.status_code == 200
    assert "/docs" not in page.text


def test_the_gateway_speaks_https(certificates: Path):
    settings = settings_with(
        tls_certificate_file=certificates / "server.pem", tls_key_file=certificates / "server.key"
    )
    with gateway(settings) as plain:
        trusting = ssl.create_default_context(cafile=certificates / "ca.pem")
        url = str(plain.base_url).replace("http:", "https:")
        with httpx.Client(base_url=url, verify=trusting) as client:
            answer = client.get("/healthz")
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        with pytest.raises(httpx.HTTPError):
            plain.get("/healthz")


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"HOST": "0.0.0.0"}, "API keys are required"),
        ({"PUBLISH": "8000"}, "API keys are required"),
        ({"API_KEYS": "nonsense"}, "a record of an API key is"),
        ({"API_KEYS_FILE": "missing"}, "the file of API keys cannot be read"),
        ({"AUDIT_FILE": "no/such/folder/audit"}, "audit_file cannot be written"),
        (
            {"TLS_CERTIFICATE_FILE": "missing", "TLS_KEY_FILE": "missing"},
            "are not a certificate and its key",
        ),
    ],
)
def test_a_gateway_that_would_not_be_safe_does_not_start(
    environment: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COVIDSCAN_MODEL_SERVER", NOWHERE)
    for name, value in environment.items():
        monkeypatch.setenv(f"COVIDSCAN_{name}", value)
    result = subprocess.run(
        [*COVIDSCAN, "serve", "--port=0"], capture_output=True, text=True, check=False, timeout=30
    )
    assert result.returncode == 2
    assert reason in result.stderr
    assert "Traceback" not in result.stderr
