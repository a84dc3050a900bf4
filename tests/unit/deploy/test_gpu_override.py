"""``docker-compose.gpu.yml`` runs the trainer and the model server on a GPU."""

from pathlib import Path
from typing import Any

import pytest

GPU_SERVICES = ("trainer", "model-server")


def test_the_override_changes_only_the_trainer_and_the_model_server(gpu_override: dict[str, Any]):
    changed = {name: set(service) for name, service in gpu_override["services"].items()}
    assert changed == {
        "trainer": {"build", "environment", "deploy"},
        "model-server": {"image", "environment", "deploy"},
    }


def test_the_gpu_model_server_is_the_same_release(
    gpu_override: dict[str, Any], model_server: dict[str, Any]
):
    assert gpu_override["services"]["model-server"]["image"] == f"{model_server['image']}-gpu"


@pytest.mark.parametrize("name", GPU_SERVICES)
def test_a_gpu_is_reserved_and_its_memory_is_allocated_on_demand(
    gpu_override: dict[str, Any], name: str
):
    service = gpu_override["services"][name]
    assert service["deploy"] == {
        "resources": {
            "reservations": {"devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]}
        }
    }
    assert service["environment"] == {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}


def test_the_build_argument_of_the_trainer_selects_requirements_with_cuda(
    gpu_override: dict[str, Any], root: Path
):
    ((argument, value),) = gpu_override["services"]["trainer"]["build"]["args"].items()
    dockerfile = (root / "Dockerfile.trainer").read_text()
    assert f"ARG {argument}=trainer.txt" in dockerfile
    assert f'"requirements/${argument}"' in dockerfile
    # It has all requirements of the CPU image, and CUDA.
    listed = (root / "requirements" / value).read_text().splitlines()
    assert set((root / "requirements" / "trainer.txt").read_text().splitlines()) <= set(listed)
    assert any(line.startswith("nvidia-cudnn-") for line in listed)
