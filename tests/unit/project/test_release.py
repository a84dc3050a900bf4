"""Every file that contains the version of covidscan contains the same one."""

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

IMAGE_TAGS = {
    "docs/kubernetes.md": r"covidscan-(?:api|trainer):(\d+\.\d+\.\d+)",
    "deploy/kubernetes/base/kustomization.yaml": r"newTag: (\S+)",
    "Dockerfile.api": r"^ARG VERSION=(\S+)",
    "Dockerfile.trainer": r"^ARG VERSION=(\S+)",
}


@pytest.fixture(scope="session")
def changelog(repository: Path) -> str:
    return (repository / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(("file", "pattern"), IMAGE_TAGS.items())
def test_the_version_is_the_same_in_every_file(
    repository: Path, project: dict[str, Any], file: str, pattern: str
):
    versions = re.findall(pattern, (repository / file).read_text(), re.MULTILINE)
    assert versions
    assert set(versions) == {project["project"]["version"]}


def test_the_newest_release_in_the_changelog_is_the_current_version(
    changelog: str, project: dict[str, Any]
):
    headings = re.findall(r"^## (.+)$", changelog, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert headings[1].startswith(f"[{project['project']['version']}] - ")


def test_every_release_in_the_changelog_has_a_date_and_the_newest_comes_first(changelog: str):
    releases = re.findall(r"^## \[(\d.*)\](.*)$", changelog, re.MULTILINE)
    dates = [date.fromisoformat(rest.removeprefix(" - ")) for _, rest in releases]
    assert dates
    assert dates == sorted(dates, reverse=True)


def test_every_package_has_a_py_typed_marker(repository: Path, project: dict[str, Any]):
    assert "Typing :: Typed" in project["project"]["classifiers"]
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert (repository / package / "py.typed").is_file(), package
