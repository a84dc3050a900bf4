"""A mount that hangs while it is searched for versions blocks one thread and nothing else."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import volume
from serving.embedded import loader as loader_module
from serving.embedded.loader import Loader
from serving.errors import VolumeError

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def loader() -> Iterator[Loader]:
    loader = Loader(
        None,  # type: ignore[arg-type] # nothing is loaded here
        {},
        threads=1,
        retries=0,
        retry_interval_seconds=0,
    )
    yield loader
    loader.stop()


async def test_a_hanging_folder_blocks_one_thread_and_no_other_model(
    loader: Loader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "good" / "1").mkdir(parents=True)
    hung = tmp_path / "hung"
    hung.mkdir()
    gate = threading.Event()
    listed: list[Path] = []

    def candidates(model_dir: Path) -> dict[int, Path]:
        listed.append(model_dir)
        if model_dir == hung:
            gate.wait()
        return {1: model_dir / "1"}

    monkeypatch.setattr(volume, "version_candidates", candidates)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(loader_module, "_LISTING_SECONDS", 0.05)
            with pytest.raises(VolumeError, match="does not answer within"):
                await loader.list_versions(hung)
        for _ in range(3):
            with pytest.raises(VolumeError, match="still does not answer"):
                await loader.list_versions(hung)
        assert listed == [hung], "no further thread is blocked"
        assert await loader.list_versions(tmp_path / "good") == {1: tmp_path / "good" / "1"}
        gate.set()
        async with asyncio.timeout(30):
            while loader._hanging:  # noqa: ASYNC110 - the thread signals nothing when it returns
                await asyncio.sleep(0.01)
        assert await loader.list_versions(hung) == {1: hung / "1"}
    finally:
        gate.set()
