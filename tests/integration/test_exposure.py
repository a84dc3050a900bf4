"""Security headers, CORS, TLS, disabled routes, and settings that prevent the start."""

import socket
import ssl
import subprocess
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from api.http.access.api_keys import create_key
from api.prediction.model_status import ModelStatusReader
from tests.integration.conftest import gateway
from tests.integration.routes import NO_MODEL_SERVER, paths, settings_with
from tests.service_process import COVIDSCAN


def test_every_response_has_security_headers():
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


def test_an_unhandled_exception_is_answered_500_without_its_message(
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


def test_only_the_origins_in_the_settings_get_cors_headers():
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
        other = client.get("/models", headers={"Origin": "https://x.example", "X-API-Key": key})
        assert "access-control-allow-origin" not in other.headers


def test_docs_and_metrics_can_be_disabled():
    with gateway(settings_with(docs=False, metrics=False)) as client:
        for path in ("/docs", "/openapi.json", "/docs-assets/swagger-ui.css", "/metrics"):
            assert client.get(path).status_code == 404, path
        assert client.get("/models").status_code == 200
        page = client.get("/")
    assert page.status_code == 200
    assert "/docs" not in page.text


def test_the_gateway_serves_https_with_its_certificate_and_rejects_http(certificates: Path):
    settings = settings_with(
        tls_certificate_file=certificates / "server.pem", tls_key_file=certificates / "server.key"
    )
    with gateway(settings) as http_client:
        tls_context = ssl.create_default_context(cafile=certificates / "ca.pem")
        url = str(http_client.base_url).replace("http:", "https:")
        with httpx.Client(base_url=url, verify=tls_context) as client:
            answer = client.get("/healthz")
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        with pytest.raises(httpx.HTTPError):
            http_client.get("/healthz")


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"HOST": "0.0.0.0"}, "API keys are required"),
        ({"PUBLISH": "8000"}, "API keys are required"),
        ({"API_KEYS": "nonsense"}, "a record of an API key is"),
        ({"API_KEYS_FILE": "missing"}, "the API key file cannot be read"),
        ({"AUDIT_FILE": "no/such/folder/audit"}, "audit_file cannot be written"),
        (
            {"TLS_CERTIFICATE_FILE": "missing", "TLS_KEY_FILE": "missing"},
            "missing cannot be read",
        ),
    ],
)
def test_serve_exits_with_code_two_and_a_reason_if_its_settings_are_unsafe_or_unusable(
    environment: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COVIDSCAN_MODEL_SERVER", NO_MODEL_SERVER)
    for name, value in environment.items():
        monkeypatch.setenv(f"COVIDSCAN_{name}", value)
    result = subprocess.run(
        [*COVIDSCAN, "serve", "--port=0"], capture_output=True, text=True, check=False, timeout=30
    )
    assert result.returncode == 2
    assert reason in result.stderr
    assert "Traceback" not in result.stderr


def test_health_checks_are_answered_while_unfinished_tls_handshakes_hold_all_slots(
    certificates: Path,
):
    settings = settings_with(
        tls_certificate_file=certificates / "server.pem",
        tls_key_file=certificates / "server.key",
        max_connections=20,
        max_connections_per_address=4,
        header_timeout_seconds=2,
    )
    with gateway(settings) as http_client, ExitStack() as stack:
        address = (http_client.base_url.host, http_client.base_url.port)
        for _ in range(150):
            stack.enter_context(socket.create_connection(address, 10))
        tls_context = ssl.create_default_context(cafile=certificates / "ca.pem")
        url = str(http_client.base_url).replace("http:", "https:")
        for _ in range(3):
            assert httpx.get(f"{url}/healthz", verify=tls_context).status_code == 200


def test_a_large_response_arrives_complete_over_tls(certificates: Path):
    settings = settings_with(
        tls_certificate_file=certificates / "server.pem", tls_key_file=certificates / "server.key"
    )
    path = "/docs-assets/swagger-ui-bundle.js"
    with gateway(settings_with()) as http_client:
        expected = http_client.get(path).content
    with gateway(settings) as http_client:
        tls_context = ssl.create_default_context(cafile=certificates / "ca.pem")
        url = str(http_client.base_url).replace("http:", "https:")
        assert httpx.get(f"{url}{path}", verify=tls_context).content == expected
