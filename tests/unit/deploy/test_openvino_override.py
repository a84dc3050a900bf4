"""``docker-compose.openvino.yml`` replaces TensorFlow Serving with OpenVINO Model Server."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from serving.volume.model_config import Latest, read_model_configs


@pytest.fixture(scope="module")
def override(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "docker-compose.openvino.yml").read_text())["services"]


@pytest.fixture(scope="module")
def ovms_flags(override: dict[str, Any]) -> dict[str, str]:
    pairs = [flag.removeprefix("--").partition("=") for flag in override["model-server"]["command"]]
    return {name: value for name, _, value in pairs}


def test_the_override_changes_only_the_model_server_and_no_security_option(
    override: dict[str, Any],
):
    changed = {name: set(service) for name, service in override.items()}
    assert changed == {
        "model-server": {"image", "entrypoint", "command", "volumes", "healthcheck"},
    }


def test_openvino_has_the_ports_and_channel_arguments_of_tensorflow_serving(
    ovms_flags: dict[str, str], flags: dict[str, str]
):
    assert ovms_flags["port"] == flags["port"]
    assert ovms_flags["rest_port"] == flags["rest_api_port"]
    assert ovms_flags["grpc_channel_arguments"] == flags["grpc_channel_arguments"]


def test_openvino_serves_the_same_models_and_versions_as_tensorflow_serving(
    root: Path, override: dict[str, Any], ovms_flags: dict[str, str]
):
    (mount,) = override["model-server"]["volumes"]
    source, target, mode = mount.split(":")
    assert (target, mode) == (ovms_flags["config_path"], "ro")
    entries = [e["config"] for e in json.loads((root / source).read_text())["model_config_list"]]
    served = [
        (
            entry["name"],
            Path(entry["base_path"]),
            Latest(entry["model_version_policy"]["latest"]["num_versions"]),
        )
        for entry in entries
    ]
    assert served == [
        (config.name, config.base_path, config.version_policy)
        for config in read_model_configs(root / "models.config")
    ]
    assert all(e["plugin_config"] == {"INFERENCE_PRECISION_HINT": "f32"} for e in entries)
