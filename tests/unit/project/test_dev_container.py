"""The dev container installs what ``make test`` needs, through the Makefile."""

import json
import re
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def container(repository: Path) -> dict[str, Any]:
    return json.loads((repository / ".devcontainer" / "devcontainer.json").read_text())


@pytest.fixture(scope="session")
def dockerfile(repository: Path, container: dict[str, Any]) -> str:
    return (repository / ".devcontainer" / container["build"]["dockerfile"]).read_text()


def test_its_commands_are_targets_of_the_makefile(
    container: dict[str, Any], makefile_targets: set[str]
):
    commands = [value for name, value in container.items() if name.endswith("Command")]
    assert commands == ["make install"]
    assert "install" in makefile_targets


def test_install_is_what_make_test_installs(repository: Path):
    makefile = (repository / "Makefile").read_text()
    prerequisites = dict(re.findall(r"^([a-z]+): (.+)$", makefile, re.MULTILINE))
    assert prerequisites["install"] == prerequisites["check"] == "$(VENV)/.test"
    assert prerequisites["test"] == "check"


def test_it_has_the_browser_of_the_end_to_end_tests(repository: Path, dockerfile: str):
    conftest = (repository / "tests" / "e2e" / "conftest.py").read_text()
    (installed,) = re.findall(r"apt-get install [^\n]* (\S+) \\$", dockerfile, re.MULTILINE)
    assert f'"{installed}"' in conftest


def test_its_python_is_supported(dockerfile: str, project: dict[str, Any]):
    (version,) = re.findall(r"^FROM \S+/python:\d+-(\d\.\d+)-", dockerfile, re.MULTILINE)
    assert f"Programming Language :: Python :: {version}" in project["project"]["classifiers"]


def test_it_forwards_the_port_of_the_service_and_uses_the_environment_of_the_makefile(
    repository: Path, container: dict[str, Any]
):
    from api.settings import Settings

    assert container["forwardPorts"] == [Settings(_env_file=None).port]
    makefile = (repository / "Makefile").read_text()
    (environment,) = re.findall(r"^VENV := (\S+)$", makefile, re.MULTILINE)
    settings = container["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"] == (
        f"${{containerWorkspaceFolder}}/{environment}/bin/python"
    )
