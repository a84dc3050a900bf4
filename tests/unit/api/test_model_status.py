"""What is told of a model's state to those who ask the gateway."""

import asyncio
from pathlib import Path

import pytest

from api.model_cards import ModelCards
from api.model_status import ModelStatusReader
from api.settings import Settings
from serving.client import ModelServerClient, VersionState, VersionStatus


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
