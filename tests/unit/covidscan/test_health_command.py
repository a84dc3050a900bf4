"""What ``covidscan health`` says before it asks anybody."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from covidscan.main import app


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"QUORUM": "9"}, "settings: quorum: Input should be less than or equal to 3"),
        ({"PORT": "0"}, "COVIDSCAN_PORT is 0: name the port that the gateway took with --port"),
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
    assert "ask the gateway with --ready" in result.stderr
