"""The model card: what is written is read back, by older readers too."""

import json
from pathlib import Path

import pytest

from serving.errors import VolumeError
from serving.volume.model_card import CARD_PATH, ModelCard

CARD = ModelCard(
    name="vgg16", demo=True, created_at="2026-01-01T00:00:00+00:00", metrics={"accuracy": 0.97}
)


def test_a_card_comes_back_as_it_was(tmp_path: Path):
    CARD.write(tmp_path)
    assert ModelCard.read(tmp_path) == CARD


def test_fields_of_a_newer_trainer_are_passed_over(tmp_path: Path):
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
def test_a_card_whose_fields_are_not_what_they_must_be_is_none(
    tmp_path: Path, field: str, value: object
):
    CARD.write(tmp_path)
    path = tmp_path / CARD_PATH
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    with pytest.raises(VolumeError, match="no readable model card"):
        ModelCard.read(tmp_path)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"name": "vgg16"}', "[" * 100_000])
def test_a_version_without_a_readable_card_is_an_error_of_ours(tmp_path: Path, content: str | None):
    if content is not None:
        (tmp_path / CARD_PATH).parent.mkdir()
        (tmp_path / CARD_PATH).write_text(content)
    with pytest.raises(VolumeError, match="no readable model card"):
        ModelCard.read(tmp_path)
