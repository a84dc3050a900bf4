"""The versions of a model while directories and configurations change."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from serving import volume
from serving.embedded.errors import ModelLoadError
from serving.embedded.servable import Servable
from serving.errors import VolumeError
from serving.protos.model_status_pb2 import Code, ModelVersionStatus
from serving.volume.model_config import All, ModelConfig, Specific
from tests.virtual_time import VIRTUAL_TIME


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


class GatedLoader:
    """Loads versions not marked as broken, once the gate is open, and records their paths."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.requested: list[Path] = []
        self.fault: Exception | None = None

    async def list_versions(self, model_dir: Path) -> dict[int, Path]:
        if self.fault:
            raise self.fault
        return volume.version_candidates(model_dir)

    async def load(self, _name: str, version_dir: Path) -> object:
        self.requested.append(version_dir)
        await self.gate.wait()
        if (version_dir / "broken").exists():
            raise ModelLoadError(Code.DATA_LOSS, "broken")
        return object()

    def release(self, model: object) -> None:
        pass


def add(root: Path, version: str, *, broken: bool = False) -> Path:
    (root / version).mkdir(parents=True)
    if broken:
        (root / version / "broken").touch()
    return root / version


def servable_at(base_path: Path) -> tuple[Servable, GatedLoader]:
    loader = GatedLoader()
    config = ModelConfig("m", base_path, All())
    return Servable(config, loader, lambda _: None), loader  # type: ignore[arg-type]


def serving(servable: Servable) -> list[Path]:
    return [version.path for version in servable.versions if version.available]


async def test_a_broken_replacement_with_the_same_number_keeps_the_serving_version(tmp_path: Path):
    good, broken = add(tmp_path / "a", "1"), add(tmp_path / "b", "1", broken=True)
    servable, loader = servable_at(tmp_path / "a")
    await servable.settle()
    servable.config = ModelConfig("m", tmp_path / "b")
    await servable.settle()
    await servable.settle()
    assert serving(servable) == [good]
    assert loader.requested == [good, broken], "it is not tried again at every poll"


async def test_a_new_directory_with_the_same_number_is_loaded_while_the_old_one_still_loads(
    tmp_path: Path,
):
    add(tmp_path / "a", "1")
    new = add(tmp_path / "b", "1")
    servable, loader = servable_at(tmp_path / "a")
    loader.gate.clear()
    await servable.poll()
    await asyncio.sleep(0)
    servable.config = ModelConfig("m", tmp_path / "b")
    settling = asyncio.create_task(servable.settle())
    await asyncio.sleep(0.01)
    loader.gate.set()
    await asyncio.wait_for(settling, 5)
    assert serving(servable) == [new]


async def test_selecting_a_missing_version_unloads_the_unselected_ones(tmp_path: Path):
    add(tmp_path / "a", "1")
    servable, _ = servable_at(tmp_path / "a")
    await servable.settle()
    servable.config = ModelConfig("m", tmp_path / "a", Specific(frozenset({9})))
    await servable.settle()
    assert serving(servable) == []


async def test_a_broken_new_version_leaves_the_serving_one_in_place(tmp_path: Path):
    good = add(tmp_path / "a", "1")
    servable, _ = servable_at(tmp_path / "a")
    await servable.settle()
    add(tmp_path / "a", "2", broken=True)
    await servable.settle()
    assert serving(servable) == [good]
    assert servable.versions[0].status.status.error_message == "broken"


async def test_polling_continues_after_any_error(tmp_path: Path):
    good = add(tmp_path / "a", "1")
    servable, loader = servable_at(tmp_path / "a")
    for fault in (VolumeError("gone"), RuntimeError("no thread"), MemoryError()):
        loader.fault = fault
        await servable.poll()
    loader.fault = None
    await servable.settle()
    assert serving(servable) == [good]


async def test_an_unexpected_error_while_loading_ends_the_version_with_an_internal_error(
    tmp_path: Path,
):
    add(tmp_path / "a", "1")
    servable, loader = servable_at(tmp_path / "a")

    async def fail(_name: str, _path: Path) -> object:
        raise MemoryError

    loader.load = fail  # type: ignore[method-assign]
    await servable.settle()
    (status,) = [version.status for version in servable.versions]
    assert (status.state, status.status.error_code) == (ModelVersionStatus.END, Code.INTERNAL)


async def test_a_version_still_loading_when_its_model_stops_never_becomes_available(tmp_path: Path):
    add(tmp_path / "a", "1")
    servable, loader = servable_at(tmp_path / "a")
    loader.gate.clear()
    await servable.poll()
    await asyncio.sleep(0)
    servable.stop()
    loader.gate.set()
    await asyncio.sleep(0.01)
    assert [v.state for v in servable.versions] == [ModelVersionStatus.END]
