"""From a folder of images to a published version, and what stops it on the way."""

from pathlib import Path

import pytest

from serving import volume
from serving.contract import CLASS_NAMES
from serving.model_card import ModelCard
from trainer.demo.dataset import write_phantoms
from trainer.errors import DatasetError, TrainingError
from trainer.pipeline import train_and_publish
from trainer.recipe import Recipe

QUICK = Recipe(epochs=1, batch_size=8)


@pytest.fixture
def dataset_dir(tmp_path: Path) -> Path:
    write_phantoms(tmp_path / "dataset", seed=0, per_class=16)
    return tmp_path / "dataset"


def test_a_trained_model_is_published_with_its_metrics(tmp_path: Path, dataset_dir: Path):
    results = train_and_publish(dataset_dir, tmp_path / "models", {"vgg16": QUICK}, seed=3)
    assert [(result.name, result.version) for result in results] == [("vgg16", 1)]
    card = ModelCard.read(volume.version_dir(tmp_path / "models", "vgg16", 1))
    assert card.metrics == results[0].metrics
    assert set(card.metrics) == {"accuracy", "sensitivity", "specificity", "auroc"}
    assert card.demo is False
    assert card.dataset["images"] == 32
    assert card.recipe["epochs"] == 1


def test_a_model_that_is_not_good_enough_is_not_published(tmp_path: Path, dataset_dir: Path):
    with pytest.raises(TrainingError, match="is not published"):
        train_and_publish(
            dataset_dir, tmp_path / "models", {"vgg16": QUICK}, seed=3, min_accuracy=1.01
        )
    assert volume.versions(tmp_path / "models", "vgg16") == []


def test_a_batch_larger_than_the_training_part_is_an_error_of_ours(
    tmp_path: Path, dataset_dir: Path
):
    with pytest.raises(DatasetError, match="fewer than a batch of 64"):
        train_and_publish(
            dataset_dir, tmp_path / "models", {"vgg16": Recipe(epochs=1, batch_size=64)}
        )


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_one_class_alone_is_an_error_of_ours(tmp_path: Path, dataset_dir: Path, name: str):
    (dataset_dir / name).rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="is missing"):
        train_and_publish(dataset_dir, tmp_path / "models", {"vgg16": QUICK})
