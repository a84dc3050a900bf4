"""``covidscan models`` lists, rolls back, removes and prunes versions, and reuses no number."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from covidscan.main import app
from serving import volume
from serving.volume.model_card import ModelCard


def publish(models_dir: Path, name: str, content: str, accuracy: float = 0.9) -> None:
    with volume.draft(models_dir, name) as draft:
        (draft.path / "variables").mkdir()
        (draft.path / "saved_model.pb").write_text(content)
        metrics = {"accuracy": accuracy, "auroc": 0.95}
        ModelCard(
            name=name, demo=False, created_at="2026-11-24T10:00:00+00:00", metrics=metrics
        ).write(draft.path)


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """Two versions of one model, one of another."""
    publish(tmp_path / "models", "vgg16", "first", 0.8)
    publish(tmp_path / "models", "vgg16", "second", 0.7)
    publish(tmp_path / "models", "xception", "only")
    return tmp_path / "models"


def models(models_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments, f"--models-dir={models_dir}"])


def content(models_dir: Path, name: str, version: int) -> str:
    return (volume.version_dir(models_dir, name, version) / "saved_model.pb").read_text()


def test_list_shows_every_version_newest_first(models_dir: Path):
    listed = json.loads(models(models_dir, "list", "--json").stdout)
    assert [(each["model"], each["version"], each["newest"]) for each in listed] == [
        ("vgg16", 2, True),
        ("vgg16", 1, False),
        ("xception", 1, True),
    ]
    assert listed[0]["accuracy"] == 0.7
    assert listed[0]["ece"] is None


def test_the_table_shows_the_accuracy_and_marks_real_and_newest_versions(models_dir: Path):
    table = models(models_dir, "list").stdout
    assert "0.700" in table
    assert "real" in table
    assert table.count("newest") == 2


def test_a_version_without_a_card_is_listed(models_dir: Path):
    (volume.version_dir(models_dir, "vgg16", 2) / "assets.extra" / "model_card.json").unlink()
    listed = json.loads(models(models_dir, "list", "--json").stdout)
    assert (listed[0]["version"], listed[0]["demo"]) == (2, None)
    assert models(models_dir, "list").exit_code == 0


def test_list_reports_a_volume_without_models(tmp_path: Path):
    assert "holds no models" in models(tmp_path, "list").stdout


def test_a_rollback_publishes_a_new_version_that_records_the_repeated_one(models_dir: Path):
    result = models(models_dir, "rollback", "vgg16")
    assert (result.exit_code, result.stdout) == (
        0,
        "published vgg16 version 3, a copy of version 1\n",
    )
    assert content(models_dir, "vgg16", 3) == "first"
    card = ModelCard.read(volume.version_dir(models_dir, "vgg16", 3))
    assert (card.rolled_back_to, card.metrics["accuracy"]) == (1, 0.8)
    repeated = models(models_dir, "rollback", "vgg16", "--to=3").stdout
    assert repeated == "published vgg16 version 4, a copy of version 1\n"


def test_a_version_without_a_card_can_be_rolled_back_to(models_dir: Path):
    (volume.version_dir(models_dir, "vgg16", 1) / "assets.extra" / "model_card.json").unlink()
    assert models(models_dir, "rollback", "vgg16").exit_code == 0
    assert content(models_dir, "vgg16", 3) == "first"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rollback", "xception"), "xception has no version before the newest"),
        (("rollback", "vgg16", "--to=9"), "model vgg16 has no version 9"),
        (("remove", "vgg16", "9"), "model vgg16 has no version 9"),
        (("remove", "xception", "1"), "1 is the only version of xception"),
        (("remove", "vgg16", "2"), "2 is the version of vgg16 that is served, and 1 would take"),
        (("remove", "alexnet", "1"), "alexnet"),
    ],
)
def test_an_invalid_command_is_rejected_and_changes_nothing(
    models_dir: Path, arguments: tuple[str, ...], message: str
):
    result = models(models_dir, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert volume.versions(models_dir, "vgg16") == [1, 2]
    assert volume.versions(models_dir, "xception") == [1]


def test_removing_the_newest_version_needs_yes_and_an_older_one_does_not(models_dir: Path):
    publish(models_dir, "vgg16", "third")
    assert models(models_dir, "remove", "vgg16", "1").exit_code == 0
    assert models(models_dir, "remove", "vgg16", "3", "--yes").exit_code == 0
    assert volume.versions(models_dir, "vgg16") == [2]
    publish(models_dir, "vgg16", "fourth")
    assert volume.versions(models_dir, "vgg16") == [2, 4]


def test_prune_keeps_the_newest_versions(models_dir: Path):
    result = models(models_dir, "prune", "--keep=1")
    assert "vgg16: removed 1" in result.stdout
    assert "xception: removed nothing" in result.stdout
    assert volume.versions(models_dir, "vgg16") == [2]


def test_prune_with_a_name_leaves_other_models_unchanged(models_dir: Path):
    publish(models_dir, "xception", "another")
    models(models_dir, "prune", "xception", "--keep=1")
    assert volume.versions(models_dir, "vgg16") == [1, 2]
    assert volume.versions(models_dir, "xception") == [2]
