"""``covidscan health`` against gateways and model servers on loopback."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.settings import Settings
from covidscan.main import app
from tests.integration.conftest import gateway, uvicorn_server
from tests.servers import in_thread

NO_MODEL_SERVER = "127.0.0.1:1"


def health(*options: str, **settings: object) -> tuple[int, str]:
    """Run the command; returns its exit code and the only line of its output."""
    env = {f"COVIDSCAN_{name.upper()}": str(value) for name, value in settings.items()}
    result = CliRunner().invoke(app, ["health", *options], env=env)
    (line,) = result.output.splitlines()
    return result.exit_code, line


@contextmanager
def port_of_gateway(**options: Any) -> Iterator[int]:
    settings = Settings(_env_file=None, **{"model_server": NO_MODEL_SERVER} | options)
    with in_thread(lambda: uvicorn_server(settings)) as port:
        yield port


@pytest.fixture
def self_signed_certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed, expired certificate for another host name, and its key."""
    certificate, key, request = (tmp_path / f"own.{suffix}" for suffix in ("pem", "key", "csr"))
    subject = ("-subj", "/CN=scan.example.org")
    for command in (
        ("req", "-newkey", "rsa:2048", "-nodes", *subject, "-keyout", key, "-out", request),
        ("x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", certificate),
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return certificate, key


def test_a_gateway_without_its_models_is_alive_but_not_ready(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with port_of_gateway() as port:
        assert health(port=port) == (0, f"http://127.0.0.1:{port}/healthz answered 200")
        assert health(host="0.0.0.0", port=port)[0] == 0
        assert health(f"--port={port}")[0] == 0
        code, line = health("--ready", port=port)
    assert code == 1
    assert line.startswith(f"covidscan: http://127.0.0.1:{port}/readyz answered 503: vgg16 ")


def test_the_health_check_succeeds_with_api_keys_and_allowed_hosts_configured(
    key: str, keys_file: Path
):
    assert key
    with port_of_gateway(api_keys_file=keys_file, allowed_hosts=["scan.example.org"]) as port:
        assert health(port=port, api_keys_file=keys_file)[0] == 0


def test_the_health_check_uses_https_if_a_certificate_is_configured(
    self_signed_certificate: tuple[Path, Path],
):
    tls = dict(zip(("tls_certificate_file", "tls_key_file"), self_signed_certificate, strict=True))
    with port_of_gateway(**tls) as port:
        assert health(port=port, **tls) == (0, f"https://127.0.0.1:{port}/healthz answered 200")
        code, line = health(port=port)
    assert code == 1
    assert line.startswith(f"covidscan: http://127.0.0.1:{port}/healthz cannot be reached: ")


def test_a_certificate_other_than_the_configured_one_is_rejected(
    self_signed_certificate: tuple[Path, Path], certificates: Path
):
    key = certificates / "server.key"
    with port_of_gateway(
        tls_certificate_file=certificates / "server.pem", tls_key_file=key
    ) as port:
        code, line = health(
            port=port, tls_certificate_file=self_signed_certificate[0], tls_key_file=key
        )
    assert code == 1
    assert "presents another certificate than" in line
    assert "restart the gateway" in line


def test_a_certificate_renewed_by_the_same_authority_is_accepted(
    certificates: Path, tmp_path: Path
):
    """The file contains the new certificate; the gateway presents the old one until it restarts."""
    file, key = tmp_path / "fullchain.pem", certificates / "server.key"
    shutil.copy(certificates / "server.pem", file)
    with port_of_gateway(tls_certificate_file=file, tls_key_file=key) as port:
        renewed = [(certificates / name).read_text() for name in ("client.pem", "ca.pem")]
        file.write_text("".join(renewed))
        assert health(port=port, tls_certificate_file=file, tls_key_file=key)[0] == 0


def test_an_http_gateway_is_unhealthy_if_https_is_configured(
    self_signed_certificate: tuple[Path, Path],
):
    tls = dict(zip(("tls_certificate_file", "tls_key_file"), self_signed_certificate, strict=True))
    with port_of_gateway() as port:
        assert health(port=port, **tls)[0] == 1


def test_a_server_that_accepts_but_does_not_answer_is_unhealthy_after_the_timeout():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code, line = health("--timeout=0.2", port=port)
    assert (code, line) == (
        1,
        f"covidscan: http://127.0.0.1:{port}/healthz did not answer within 0.2 s",
    )


def test_a_port_without_a_listener_is_reported_as_connection_refused():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code, line = health(port=port)
    assert code == 1
    assert line.endswith("cannot be reached: Connection refused")


def test_a_model_server_with_all_models_is_healthy(address: str, tiny_volume: Path):
    assert health("--model-server", model_server=address) == (
        0,
        f"model server {address}: all models ok",
    )
    with gateway(Settings(_env_file=None, model_server=address, models_dir=tiny_volume)) as client:
        code, line = health("--ready", "--strict", port=client.base_url.port)
    assert code == 0
    assert line.endswith("/readyz answered 200: vgg16 ok, resnet50 ok, xception ok")


def test_a_missing_model_server_is_unhealthy():
    code, line = health("--model-server", "--timeout=1", model_server=NO_MODEL_SERVER)
    assert code == 1
    assert line.startswith(f"covidscan: model server {NO_MODEL_SERVER}: all models UNAVAILABLE: ")
