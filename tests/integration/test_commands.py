"""Every command explains itself, and reports wrong arguments with exit code 2."""

import pytest
import typer
from typer.testing import CliRunner

from covidscan.main import app

COMMANDS = sorted(typer.main.get_group(app).commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"covidscan {command}" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--port=99999"],
        ["predict"],
        ["predict", "nosuchfile.png"],
        ["model-server", "--precision=f16"],
        ["model-server", "--config=nosuch.config"],
        ["train", "--dataset=nosuchdir"],
        ["nosuchcommand"],
    ],
)
def test_invalid_arguments_exit_with_code_two(arguments: list[str]):
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    assert result.stderr
