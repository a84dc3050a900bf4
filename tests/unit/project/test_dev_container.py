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


def test_the_commands_of_the_dev_container_are_makefile_targets(
    container: dict[str, Any], makefile_targets: set[str]
):
    commands = [value for name, value in container.items() if name.endswith("Command")]
    assert commands == ["make install"]
    assert "install" in makefile_targets


def test_make_install_and_make_test_install_the_same_environment(repository: Path):
    makefile = (repository / "Makefile").read_text()
    prerequisites = dict(re.findall(r"^([a-z]+): (.+)$", makefile, re.MULTILINE))
    assert prerequisites["install"] == prerequisites["check"] == "$(VENV)/.test"
    assert prerequisites["test"] == "check"


def test_the_dev_container_installs_the_browser_of_the_end_to_end_tests(
    repository: Path, dockerfile: str
):
    conftest = (repository / "tests" / "e2e" / "conftest.py").read_text()
    (installed,) = re.findall(r"apt-get install [^\n]* (\S+) \\$", dockerfile, re.MULTILINE)
    assert f'"{installed}"' in conftest


def test_the_project_supports_the_python_version_of_the_dev_container(
    dockerfile: str, project: dict[str, Any]
):
    (version,) = re.findall(r"^FROM \S+/python:\d+-(\d\.\d+)-", dockerfile, re.MULTILINE)
    assert f"Programming Language :: Python :: {version}" in project["project"]["classifiers"]


def test_the_dev_container_forwards_the_service_port_and_uses_the_makefile_environment(
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
