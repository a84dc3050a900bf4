import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.manifests import FOLDER, Manifests

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="session")
def gpu_override() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.gpu.yml").read_text())


@pytest.fixture(scope="session")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    return compose["services"]


@pytest.fixture(scope="session")
def model_server(services: dict[str, Any]) -> dict[str, Any]:
    return services["model-server"]


@pytest.fixture(scope="session")
def flags(model_server: dict[str, Any]) -> dict[str, str]:
    """The flags of the model server in Compose, by name."""
    pairs = [flag.removeprefix("--").partition("=") for flag in model_server["command"]]
    return {name: value for name, _, value in pairs}


@pytest.fixture(scope="session")
def base() -> Manifests:
    return Manifests.read(FOLDER / "base")


@pytest.fixture(scope="session")
def main_containers(base: Manifests) -> dict[str, dict[str, Any]]:
    """The container of each component's pod, by component; init containers do not count."""
    found = {}
    for component, pod in base.pods().items():
        (found[component],) = pod["containers"]
    return found
