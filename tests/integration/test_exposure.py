"""What the gateway shows of itself, to whom, and when it does not start at all."""

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
from tests.integration.routes import NOWHERE, paths, settings_with
from tests.service_process import COVIDSCAN


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
        ({"API_KEYS_FILE": "missing"}, "the API key file cannot be read"),
        ({"AUDIT_FILE": "no/such/folder/audit"}, "audit_file cannot be written"),
        (
            {"TLS_CERTIFICATE_FILE": "missing", "TLS_KEY_FILE": "missing"},
            "missing cannot be read",
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


def test_beside_tls_handshakes_that_never_end_health_is_told(certificates: Path):
    settings = settings_with(
        tls_certificate_file=certificates / "server.pem",
        tls_key_file=certificates / "server.key",
        max_connections=20,
        max_connections_per_address=4,
        header_timeout_seconds=2,
    )
    with gateway(settings) as plain, ExitStack() as stack:
        address = (plain.base_url.host, plain.base_url.port)
        for _ in range(150):
            stack.enter_context(socket.create_connection(address, 10))
        trusting = ssl.create_default_context(cafile=certificates / "ca.pem")
        url = str(plain.base_url).replace("http:", "https:")
        for _ in range(3):
            assert httpx.get(f"{url}/healthz", verify=trusting).status_code == 200


def test_a_large_answer_comes_whole_over_tls(certificates: Path):
    settings = settings_with(
        tls_certificate_file=certificates / "server.pem", tls_key_file=certificates / "server.key"
    )
    path = "/docs-assets/swagger-ui-bundle.js"
    with gateway(settings_with()) as plain:
        expected = plain.get(path).content
    with gateway(settings) as plain:
        trusting = ssl.create_default_context(cafile=certificates / "ca.pem")
        url = str(plain.base_url).replace("http:", "https:")
        assert httpx.get(f"{url}{path}", verify=trusting).content == expected
