"""Model cards are read back as written, even by older releases."""

import json
from pathlib import Path

import pytest

from serving.errors import VolumeError
from serving.volume.model_card import CARD_PATH, ModelCard

CARD = ModelCard(
    name="vgg16", demo=True, created_at="2026-01-01T00:00:00+00:00", metrics={"accuracy": 0.97}
)


def test_a_written_card_is_read_back_unchanged(tmp_path: Path):
    CARD.write(tmp_path)
    assert ModelCard.read(tmp_path) == CARD


def test_fields_of_a_newer_trainer_are_ignored(tmp_path: Path):
    CARD.write(tmp_path)
    path = tmp_path / CARD_PATH
    path.write_text(json.dumps({**json.loads(path.read_text()), "invented_later": 1}))
    assert ModelCard.read(tmp_path) == CARD


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5),
        ("demo", "no"),
        ("demo", None),
        ("created_at", {}),
        ("metrics", []),
        ("metrics", {"accuracy": "high"}),
        ("rolled_back_to", "1"),
    ],
)
def test_a_card_with_a_field_of_the_wrong_type_is_rejected(
    tmp_path: Path, field: str, value: object
):
    CARD.write(tmp_path)
    path = tmp_path / CARD_PATH
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(VolumeError, match="no readable model card"):
        ModelCard.read(tmp_path)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"name": "vgg16"}', "[" * 100_000])
def test_a_missing_or_malformed_card_raises_a_volume_error(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / CARD_PATH).parent.mkdir()
        (tmp_path / CARD_PATH).write_text(content)
    with pytest.raises(VolumeError, match="no readable model card"):
        ModelCard.read(tmp_path)
