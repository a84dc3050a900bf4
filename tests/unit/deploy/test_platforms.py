"""What each platform installs, according to the markers of the dependencies."""

from typing import Any

import pytest
from packaging.requirements import Requirement

PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux"},
    "macOS": {"sys_platform": "darwin", "platform_system": "Darwin"},
}


def installed(project: dict[str, Any], platform: str, extra: str | None = None) -> dict[str, str]:
    """The installed packages and their version specifiers."""
    listed = project["project"]["dependencies"]
    if extra is not None:
        listed = project["project"]["optional-dependencies"][extra]
    environment = PLATFORMS[platform] | {"python_version": "3.12", "python_full_version": "3.12.0"}
    return {
        requirement.name: str(requirement.specifier)
        for requirement in map(Requirement, listed)
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_installs_httptools_but_not_the_unused_uvloop(
    project: dict[str, Any], platform: str
):
    names = installed(project, platform)
    assert {"uvicorn", "httptools"} <= set(names)
    assert "uvloop" not in names


def test_only_the_trainer_requires_a_protobuf_version_below_6(project: dict[str, Any]):
    # Generated code runs with the major version it was generated for, and with the next one.
    assert set(installed(project, "linux")["protobuf"].split(",")) == {">=5.29", "<7"}
    assert set(installed(project, "linux", "trainer")["protobuf"].split(",")) == {">=5.29", "<6"}
