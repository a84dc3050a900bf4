"""A model's versions as directories and configurations change; the test lets loads end."""

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
    """Loads what is not called broken, once the gate is open; remembers what it was asked for."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked: list[Path] = []
        self.fault: Exception | None = None

    async def look(self, model_dir: Path) -> dict[int, Path]:
        if self.fault:
            raise self.fault
        return volume.version_candidates(model_dir)

    async def load(self, _name: str, version_dir: Path) -> object:
        self.asked.append(version_dir)
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


async def test_a_broken_replacement_of_the_same_number_leaves_the_one_that_serves(tmp_path: Path):
    good, broken = add(tmp_path / "a", "1"), add(tmp_path / "b", "1", broken=True)
    servable, loader = servable_at(tmp_path / "a")
    await servable.settle()
    servable.config = ModelConfig("m", tmp_path / "b")
    await servable.settle()
    await servable.settle()
    assert serving(servable) == [good]
    assert loader.asked == [good, broken], "it is not tried again at every look"


async def test_a_new_directory_of_the_same_number_is_loaded_even_while_the_old_one_is(
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


async def test_a_version_that_is_not_there_unloads_what_is_not_wanted(tmp_path: Path):
    add(tmp_path / "a", "1")
    servable, _ = servable_at(tmp_path / "a")
    await servable.settle()
    servable.config = ModelConfig("m", tmp_path / "a", Specific(frozenset({9})))
    await servable.settle()
    assert serving(servable) == []


async def test_where_all_that_is_wanted_is_broken_what_serves_stays(tmp_path: Path):
    good = add(tmp_path / "a", "1")
    servable, _ = servable_at(tmp_path / "a")
    await servable.settle()
    add(tmp_path / "a", "2", broken=True)
    await servable.settle()
    assert serving(servable) == [good]
    assert servable.versions[0].status.status.error_message == "broken"


async def test_no_fault_ends_the_watch_for_ever(tmp_path: Path):
    good = add(tmp_path / "a", "1")
    servable, loader = servable_at(tmp_path / "a")
    for fault in (VolumeError("gone"), RuntimeError("no thread"), MemoryError()):
        loader.fault = fault
        await servable.poll()
    loader.fault = None
    await servable.settle()
    assert serving(servable) == [good]


async def test_a_fault_of_ours_while_loading_is_a_state_and_not_a_hang(tmp_path: Path):
    add(tmp_path / "a", "1")
    servable, loader = servable_at(tmp_path / "a")

    async def fail(_name: str, _path: Path) -> object:
        raise MemoryError

    loader.load = fail  # type: ignore[method-assign]
    await servable.settle()
    (status,) = [version.status for version in servable.versions]
    assert (status.state, status.status.error_code) == (ModelVersionStatus.END, Code.INTERNAL)


async def test_a_model_that_is_stopped_loads_nothing_more(tmp_path: Path):
    add(tmp_path / "a", "1")
    servable, loader = servable_at(tmp_path / "a")
    loader.gate.clear()
    await servable.poll()
    await asyncio.sleep(0)
    servable.stop()
    loader.gate.set()
    await asyncio.sleep(0.01)
    assert [v.state for v in servable.versions] == [ModelVersionStatus.END]
