"""What each platform installs, by the markers of the dependencies."""

from typing import Any

import pytest
from packaging.requirements import Requirement

PLATFORMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux"},
    "macOS": {"sys_platform": "darwin", "platform_system": "Darwin"},
    "Windows": {"sys_platform": "win32", "platform_system": "Windows"},
}


def installed(project: dict[str, Any], platform: str, extra: str | None = None) -> dict[str, str]:
    """What is installed, with its bounds."""
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
def test_each_platform_gets_the_parts_of_uvicorn_that_it_has(
    project: dict[str, Any], platform: str
):
    names = installed(project, platform)
    assert {"uvicorn", "httptools"} <= set(names)
    assert ("uvloop" in names) == (platform != "Windows")


def test_only_the_trainer_is_bound_to_the_protobuf_of_tensorflow(project: dict[str, Any]):
    # Code that is generated for a major version runs with that one and the next.
    assert set(installed(project, "linux")["protobuf"].split(",")) == {">=5.29", "<7"}
    assert set(installed(project, "linux", "trainer")["protobuf"].split(",")) == {">=5.29", "<6"}
