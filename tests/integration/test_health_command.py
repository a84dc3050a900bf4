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
    """Exit code and the one line that is printed."""
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
def own_certificate(tmp_path: Path) -> tuple[Path, Path]:
    """One that has expired, is for another name and is signed by nobody else, and its key."""
    certificate, key, request = (tmp_path / f"own.{suffix}" for suffix in ("pem", "key", "csr"))
    subject = ("-subj", "/CN=scan.example.org")
    for command in (
        ("req", "-newkey", "rsa:2048", "-nodes", *subject, "-keyout", key, "-out", request),
        ("x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", certificate),
    ):
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return certificate, key


def test_a_gateway_without_its_models_is_alive_and_not_ready(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with port_of_gateway() as port:
        assert health(port=port) == (0, f"http://127.0.0.1:{port}/healthz answered 200")
        assert health(host="0.0.0.0", port=port)[0] == 0
        assert health(f"--port={port}")[0] == 0
        code, line = health("--ready", port=port)
    assert code == 1
    assert line.startswith(f"covidscan: http://127.0.0.1:{port}/readyz answered 503: vgg16 ")


def test_api_keys_and_allowed_hosts_do_not_concern_it(key: str, keys_file: Path):
    assert key
    with port_of_gateway(api_keys_file=keys_file, allowed_hosts=["scan.example.org"]) as port:
        assert health(port=port, api_keys_file=keys_file)[0] == 0


def test_it_speaks_https_where_the_gateway_does(own_certificate: tuple[Path, Path]):
    tls = dict(zip(("tls_certificate_file", "tls_key_file"), own_certificate, strict=True))
    with port_of_gateway(**tls) as port:
        assert health(port=port, **tls) == (0, f"https://127.0.0.1:{port}/healthz answered 200")
        code, line = health(port=port)
    assert code == 1
    assert line.startswith(f"covidscan: http://127.0.0.1:{port}/healthz cannot be reached: ")


def test_only_the_certificate_of_the_settings_is_accepted(
    own_certificate: tuple[Path, Path], certificates: Path
):
    key = certificates / "server.key"
    with port_of_gateway(
        tls_certificate_file=certificates / "server.pem", tls_key_file=key
    ) as port:
        code, line = health(port=port, tls_certificate_file=own_certificate[0], tls_key_file=key)
    assert code == 1
    assert "presents another certificate than" in line
    assert "restart the gateway" in line


def test_a_certificate_that_the_same_authority_has_renewed_is_no_fault(
    certificates: Path, tmp_path: Path
):
    """The file has the new one and the chain; the gateway shows the old one until it restarts."""
    file, key = tmp_path / "fullchain.pem", certificates / "server.key"
    shutil.copy(certificates / "server.pem", file)
    with port_of_gateway(tls_certificate_file=file, tls_key_file=key) as port:
        renewed = [(certificates / name).read_text() for name in ("client.pem", "ca.pem")]
        file.write_text("".join(renewed))
        assert health(port=port, tls_certificate_file=file, tls_key_file=key)[0] == 0


def test_http_where_the_settings_say_https_is_unhealthy(own_certificate: tuple[Path, Path]):
    tls = dict(zip(("tls_certificate_file", "tls_key_file"), own_certificate, strict=True))
    with port_of_gateway() as port:
        assert health(port=port, **tls)[0] == 1


def test_who_accepts_and_says_nothing_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        code, line = health("--timeout=0.2", port=port)
    assert (code, line) == (
        1,
        f"covidscan: http://127.0.0.1:{port}/healthz did not answer within 0.2 s",
    )


def test_where_nothing_listens_it_says_so():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    code, line = health(port=port)
    assert code == 1
    assert line.endswith("cannot be reached: Connection refused")


def test_the_model_server_is_healthy_with_its_quorum(address: str, tiny_volume: Path):
    assert health("--model-server", model_server=address) == (
        0,
        f"model server {address}: all models ok",
    )
    with gateway(Settings(_env_file=None, model_server=address, models_dir=tiny_volume)) as client:
        code, line = health("--ready", "--strict", port=client.base_url.port)
    assert code == 0
    assert line.endswith("/readyz answered 200: vgg16 ok, resnet50 ok, xception ok")


def test_a_model_server_that_is_not_there_is_unhealthy():
    code, line = health("--model-server", "--timeout=1", model_server=NO_MODEL_SERVER)
    assert code == 1
    assert line.startswith(f"covidscan: model server {NO_MODEL_SERVER}: all models UNAVAILABLE: ")
