"""The map of folders in ``CONTRIBUTING.md`` is correct and complete."""

import re
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def contributing(repository: Path) -> str:
    return (repository / "CONTRIBUTING.md").read_text()


@pytest.fixture(scope="session")
def mapped(contributing: str) -> list[str]:
    return re.findall(r"^\| `([a-z0-9_/]+)/` \|", contributing, re.MULTILINE)


def test_every_folder_in_the_map_exists(repository: Path, mapped: list[str]):
    assert mapped
    assert [folder for folder in mapped if not (repository / folder).is_dir()] == []


def test_every_package_is_in_the_map(repository: Path, mapped: list[str], project: dict[str, Any]):
    packages = {
        str(init.parent.relative_to(repository))
        for shipped in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        for init in (repository / shipped).rglob("__init__.py")
    }
    assert packages - set(mapped) == set()


def test_every_make_command_is_a_target_of_the_makefile(
    contributing: str, makefile_targets: set[str]
):
    named = set(re.findall(r"`make ([a-z]+)`", contributing))
    assert {"serve", "test", "coverage"} <= named
    assert named <= makefile_targets
