"""What ``covidscan health`` says before it asks anybody."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.settings import Settings
from covidscan.main import app
from covidscan.service.health_check import GatewayAddress, quick_check


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"QUORUM": "9"}, "settings: quorum: Input should be less than or equal to 3"),
        ({"PORT": "0"}, "COVIDSCAN_PORT is 0: give the gateway's actual port with --port"),
        (
            {"TLS_CERTIFICATE_FILE": "/nowhere.pem", "TLS_KEY_FILE": "/nowhere.key"},
            "/nowhere.pem cannot be read: No such file or directory",
        ),
        (
            {"TLS_CERTIFICATE_FILE": __file__, "TLS_KEY_FILE": __file__},
            f"{__file__} is not a certificate in PEM",
        ),
    ],
)
def test_a_wrong_setting_is_unhealthy_and_named(settings: dict[str, str], message: str):
    # Docker knows exit codes 0 and 1 only.
    result = CliRunner().invoke(
        app, ["health"], env={f"COVIDSCAN_{name}": value for name, value in settings.items()}
    )
    assert (result.exit_code, result.stderr) == (1, f"covidscan: {message}\n")


def test_the_private_model_server_of_the_gateway_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COVIDSCAN_MODEL_SERVER", raising=False)
    result = CliRunner().invoke(app, ["health", "--model-server"])
    assert result.exit_code == 1
    assert "check the gateway with --ready" in result.stderr


@pytest.mark.parametrize(
    ("environment", "env_file"),
    [
        ({}, ""),
        ({"COVIDSCAN_HOST": "0.0.0.0", "COVIDSCAN_PUBLISH": "127.0.0.1:80"}, "COVIDSCAN_PORT=9000"),
        ({"COVIDSCAN_PORT": "9001"}, "COVIDSCAN_PORT=9000\nCOVIDSCAN_HOST='::1'"),
        ({"covidscan_port": "9002"}, "covidscan_host=localhost"),
        ({"COVIDSCAN_PORT": "", "COVIDSCAN_HOST": ""}, "export COVIDSCAN_PORT=9003 # ours"),
        (
            {
                "COVIDSCAN_TLS_CERTIFICATE_FILE": "/tls/chain.pem",
                "COVIDSCAN_TLS_KEY_FILE": "/tls/k",
            },
            "COVIDSCAN_TLS_CERTIFICATE_FILE=other.pem",
        ),
    ],
)
def test_the_quick_check_reads_what_the_settings_read(
    environment: dict[str, str],
    env_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / ".env"
    file.write_text(env_file)
    settings = Settings(_env_file=file)
    assert GatewayAddress.from_environment(environment, file) == GatewayAddress(
        settings.host, settings.port, settings.tls_certificate_file
    )


@pytest.mark.parametrize("options", [["--help"], ["--port=1"], ["--model-server"], ["x"]])
def test_what_the_quick_check_does_not_know_is_left_to_the_command(options: list[str]):
    assert quick_check(options) is None


def test_a_port_that_is_no_number_is_left_to_the_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COVIDSCAN_PORT", "tcp://10.0.0.1:8000")
    assert quick_check([]) is None


def test_the_quick_check_answers_by_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COVIDSCAN_TLS_CERTIFICATE_FILE", "/nowhere.pem")
    assert quick_check(["--ready"]) == 1
    assert capsys.readouterr().err == (
        "covidscan: /nowhere.pem cannot be read: No such file or directory\n"
    )


def test_it_imports_nothing_that_is_slow():
    """A container runs it every ten seconds, also where it is short of CPU."""
    program = (
        "import sys; from covidscan.service.health_check import quick_check;"
        "print([name for name in ('pydantic', 'typer', 'grpc', 'numpy') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
