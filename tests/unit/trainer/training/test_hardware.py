"""How precisely a network computes while it is trained."""

from pathlib import Path

import keras
import pytest

from trainer.recipe import Recipe
from trainer.training import hardware


def policy(recipe: Recipe) -> str:
    with hardware.precision(recipe):
        return str(keras.mixed_precision.dtype_policy().name)


@pytest.fixture(params=["avx512_bf16", "amx_bf16"])
def cpu_info(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What Linux says of a CPU that multiplies in bfloat16."""
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\nflags : fpu avx2 {request.param} sse\n")
    return path


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "gpus", lambda: 0)


def test_a_cpu_that_can_computes_in_16_bits(cpu_info: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hardware, "_CPU_INFO", cpu_info)
    assert policy(Recipe()) == "mixed_bfloat16"
    assert policy(Recipe(mixed_precision="off")) == "float32"
    assert keras.mixed_precision.dtype_policy().name == "float32"


def test_one_that_cannot_does_so_only_if_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hardware, "_CPU_INFO", tmp_path / "nowhere")
    assert policy(Recipe()) == "float32"
    assert policy(Recipe(mixed_precision="on")) == "mixed_bfloat16"


def test_a_gpu_computes_in_16_bits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hardware, "gpus", lambda: 1)
    assert policy(Recipe()) == "mixed_float16"


def test_an_error_leaves_the_precision_as_it_was():
    with pytest.raises(ValueError, match="body"), hardware.precision(Recipe(mixed_precision="on")):
        raise ValueError("body")
    assert keras.mixed_precision.dtype_policy().name == "float32"
