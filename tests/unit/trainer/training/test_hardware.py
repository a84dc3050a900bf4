"""The floating-point precision of training."""

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
    """``/proc/cpuinfo`` of a CPU that multiplies in bfloat16."""
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor : 0\nflags : fpu avx2 {request.param} sse\n")
    return path


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "gpus", lambda: 0)


def test_a_cpu_with_bfloat16_support_uses_mixed_precision(
    cpu_info: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hardware, "_CPU_INFO", cpu_info)
    assert policy(Recipe()) == "mixed_bfloat16"
    assert policy(Recipe(mixed_precision="off")) == "float32"
    assert keras.mixed_precision.dtype_policy().name == "float32"


def test_a_cpu_without_bfloat16_support_uses_mixed_precision_only_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hardware, "_CPU_INFO", tmp_path / "missing")
    assert policy(Recipe()) == "float32"
    assert policy(Recipe(mixed_precision="on")) == "mixed_bfloat16"


def test_a_gpu_uses_mixed_precision_in_float16(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hardware, "gpus", lambda: 1)
    assert policy(Recipe()) == "mixed_float16"


def test_the_precision_is_restored_after_an_error():
    with pytest.raises(ValueError, match="body"), hardware.precision(Recipe(mixed_precision="on")):
        raise ValueError("body")
    assert keras.mixed_precision.dtype_policy().name == "float32"
