"""``covidscan health`` before it sends a request: settings, and the quick check."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.settings import Settings
from covidscan.health.gateway_check import GatewayAddress, quick_check
from covidscan.main import app


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
def test_an_invalid_setting_is_named_and_exits_with_code_1(settings: dict[str, str], message: str):
    # Docker accepts only the exit codes 0 and 1 from a health check.
    result = CliRunner().invoke(
        app, ["health"], env={f"COVIDSCAN_{name}": value for name, value in settings.items()}
    )
    assert (result.exit_code, result.stderr) == (1, f"covidscan: {message}\n")


def test_the_embedded_model_server_cannot_be_checked_separately(
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
def test_the_quick_check_reads_the_same_address_as_the_settings(
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
def test_the_quick_check_leaves_unknown_options_to_the_full_command(options: list[str]):
    assert quick_check(options) is None


def test_the_quick_check_leaves_a_port_that_is_not_a_number_to_the_full_command(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("COVIDSCAN_PORT", "tcp://10.0.0.1:8000")
    assert quick_check([]) is None


def test_the_quick_check_reports_an_unreadable_certificate_without_the_full_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COVIDSCAN_TLS_CERTIFICATE_FILE", "/nowhere.pem")
    assert quick_check(["--ready"]) == 1
    assert capsys.readouterr().err == (
        "covidscan: /nowhere.pem cannot be read: No such file or directory\n"
    )


def test_the_quick_check_imports_no_slow_library():
    """A container runs it every ten seconds, even if it has little CPU."""
    program = (
        "import sys; from covidscan.health.gateway_check import quick_check;"
        "print([name for name in ('pydantic', 'typer', 'grpc', 'numpy') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
