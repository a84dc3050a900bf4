"""What is told of a model's state to those who ask the gateway."""

import asyncio
from pathlib import Path
from types import SimpleNamespace

import pytest

from api.model_cards import ModelCards
from api.model_status import ModelStatusReader
from api.settings import Settings
from serving.client import ModelServerClient, VersionState, VersionStatus
from serving.contract import MODEL_NAMES


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (
            "NOT_FOUND: Could not find SavedModel .pb at export directory path: /models/vgg16/3",
            "NOT_FOUND: Could not find SavedModel .pb at export directory path: 3",
        ),
        (
            "Can't parse /srv/data/m/saved_model.pb as binary proto",
            "Can't parse saved_model.pb as binary proto",
        ),
        ("tensors and/or ops do not match, 1/2", "tensors and/or ops do not match, 1/2"),
    ],
)
def test_a_reason_names_no_folder_of_the_model_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, told: str
):
    async def broken(*_: object, **__: object) -> list[VersionStatus]:
        return [VersionStatus(3, VersionState.END, reason)]

    monkeypatch.setattr(ModelServerClient, "version_statuses", broken)

    async def read() -> str | None:
        async with ModelServerClient("127.0.0.1:1") as client:
            reader = ModelStatusReader(client, ModelCards(tmp_path), Settings(_env_file=None))
            return (await reader.read_all())[0].versions[0].error

    assert asyncio.run(read()) == told


def test_however_many_ask_whether_it_is_ready_the_model_server_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked = 0

    async def count(*_: object, **__: object) -> list[VersionStatus]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return [VersionStatus(1, VersionState.AVAILABLE, "")]

    monkeypatch.setattr(ModelServerClient, "version_statuses", count)
    now = 100.0
    monkeypatch.setattr("api.model_status.time", SimpleNamespace(monotonic=lambda: now))

    async def ask() -> None:
        nonlocal now
        async with ModelServerClient("127.0.0.1:1") as client:
            reader = ModelStatusReader(client, ModelCards(tmp_path), Settings(_env_file=None))
            leaving = asyncio.ensure_future(reader.read_recent())
            await asyncio.sleep(0)
            leaving.cancel()
            told = await asyncio.gather(*(reader.read_recent() for _ in range(50)))
            assert all(info.available for infos in told for info in infos)
            assert asked == len(MODEL_NAMES)
            now += 0.3
            await reader.read_recent()
            assert asked == 2 * len(MODEL_NAMES)

    asyncio.run(ask())
