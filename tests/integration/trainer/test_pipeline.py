"""A training run publishes a version, writes a report, and can be resumed."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from serving import volume
from serving.contract import CLASS_NAMES
from serving.volume.model_card import ModelCard
from tests.integration.trainer.quick_training import QUICK, answers_of, plan
from trainer.dataset.images import list_dataset, load_images
from trainer.dataset.split import split_dataset
from trainer.dataset.split_options import SplitOptions
from trainer.errors import RunError
from trainer.pipeline import Outcome, train_and_publish
from trainer.training.callbacks import CheckpointEachEpoch

pytestmark = pytest.mark.usefixtures("narrow_backbones")

METRICS = {
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "f1",
    "auroc",
    "average_precision",
    "brier",
    "ece",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, dataset_dir: Path) -> tuple[Path, Outcome]:
    """One CNN, trained without interruption, and the folder with its run and volume."""
    root = tmp_path_factory.mktemp("trained")
    return root, train_and_publish(plan(root, dataset_dir))


def test_the_model_card_has_dataset_recipe_and_metrics(
    trained: tuple[Path, Outcome],
):
    root, outcome = trained
    card = ModelCard.read(volume.version_dir(root / "models", "vgg16", 1))
    assert [(each.name, each.version) for each in outcome.evaluations] == [("vgg16", 1)]
    assert card.metrics == outcome.evaluations[0].metrics
    assert set(card.metrics) == set(card.intervals) == METRICS
    assert card.demo is False
    assert card.dataset["images"] == 48
    assert card.dataset["split"]["test"] == 20
    assert card.dataset["leakage"]["majority_accuracy"] == 0.5
    assert card.recipe == {**QUICK.model_dump(), "seed": 3}
    assert card.temperature == outcome.evaluations[0].temperature
    assert card.operating_point == outcome.evaluations[0].operating_point
    assert set(card.environment) >= {"python", "tensorflow", "keras"}


def test_without_publish_nothing_is_published(tmp_path: Path, dataset_dir: Path):
    outcome = train_and_publish(plan(tmp_path, dataset_dir, publish=False))
    assert [(each.name, each.version) for each in outcome.evaluations] == [("vgg16", None)]
    assert outcome.objections == {}
    assert (outcome.run_dir / "predictions.csv").is_file()
    assert not (tmp_path / "models").exists()


def test_the_run_folder_has_weights_and_graph_of_the_served_model(trained: tuple[Path, Outcome]):
    root, outcome = trained
    folder = outcome.run_dir / "vgg16"
    whole = keras.models.load_model(folder / "vgg16.keras")
    parts = keras.models.model_from_json((folder / "vgg16.json").read_text())
    parts.load_weights(folder / "vgg16.weights.h5")
    images = np.random.default_rng(0).random((8, 64, 64, 3), np.float32)
    for model in (whole, parts):
        np.testing.assert_allclose(model(images), answers_of(root), atol=1e-4)


def test_the_file_lists_of_a_run_reproduce_its_split(
    trained: tuple[Path, Outcome], dataset_dir: Path
):
    _, outcome = trained
    lists = {
        f"{part}_files": [outcome.run_dir / "split" / f"{part}.txt"]
        for part in ("train", "validation", "test")
    }
    data = load_images(list_dataset(dataset_dir))
    again = split_dataset(data, SplitOptions(kind="files", **lists))
    first = split_dataset(data, SplitOptions(test_share=0.4))
    for part in ("train", "validation", "test"):
        assert getattr(again, part).files == getattr(first, part).files


def test_the_report_is_one_self_contained_page(trained: tuple[Path, Outcome]):
    _, outcome = trained
    page = (outcome.run_dir / "report.html").read_text()
    assert "http://" not in page
    assert "https://" not in page
    plots = sorted(path.stem for path in (outcome.run_dir / "plots").glob("*.png"))
    assert plots == [
        "confusion",
        "precision_recall",
        "reliability",
        "roc",
        "training_vgg16",
        "worst_errors",
    ]
    assert page.count("data:image/png;base64,") == len(plots)
    assert f"{outcome.evaluations[0].metrics['accuracy']:.3f}" in page


def test_metrics_json_has_intervals_confusion_and_baselines(trained: tuple[Path, Outcome]):
    _, outcome = trained
    metrics = json.loads((outcome.run_dir / "metrics.json").read_text())
    vgg16 = metrics["models"]["vgg16"]
    for name, estimate in vgg16["metrics"].items():
        assert estimate["low"] <= estimate["value"] <= estimate["high"], name
    assert sum(vgg16["at_operating_point"]["confusion"].values()) == 20
    baselines = metrics["dataset"]["leakage"]
    best = vgg16["metrics"]["accuracy"]["value"]
    assert metrics["split_leaks"] == (best < baselines["nearest_neighbour_accuracy"] + 0.05)
    assert metrics["grey_levels_suffice"] == (best < baselines["histogram_accuracy"] + 0.05)
    assert metrics["training_seconds"]["vgg16"] > 0
    assert (outcome.run_dir / "tensorboard" / "vgg16").is_dir()


def test_predictions_csv_has_a_row_per_test_image(trained: tuple[Path, Outcome]):
    _, outcome = trained
    table = pd.read_csv(outcome.run_dir / "predictions.csv")
    listed = (outcome.run_dir / "split" / "test.txt").read_text().splitlines()
    assert list(table["file"]) == listed
    assert [file.split("/")[0] for file in table["file"]] == list(table["class"])
    judged = (table["vgg16"] >= 0.5) == (table["class"] == CLASS_NAMES[0])
    assert judged.mean() == pytest.approx(outcome.evaluations[0].metrics["accuracy"])


def test_the_same_seed_gives_the_same_model_with_and_without_checkpoints(
    trained: tuple[Path, Outcome], tmp_path: Path, dataset_dir: Path
):
    root, outcome = trained
    again = train_and_publish(plan(tmp_path, dataset_dir, keep_run=False))
    assert not [*again.run_dir.rglob("*.h5"), *again.run_dir.rglob("report.html")]
    assert again.evaluations[0].estimates == outcome.evaluations[0].estimates
    np.testing.assert_array_equal(answers_of(tmp_path), answers_of(root))


def test_a_resumed_training_gives_the_same_model_as_an_uninterrupted_one(
    trained: tuple[Path, Outcome],
    tmp_path: Path,
    dataset_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    root, outcome = trained
    keep = CheckpointEachEpoch.on_epoch_end

    def stop_after_the_second(self: CheckpointEachEpoch, epoch: int, logs: Any = None) -> None:
        keep(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(CheckpointEachEpoch, "on_epoch_end", stop_after_the_second)
        with pytest.raises(KeyboardInterrupt):
            train_and_publish(plan(tmp_path, dataset_dir))
    assert volume.versions(tmp_path / "models", "vgg16") == []

    resumed = train_and_publish(plan(tmp_path, dataset_dir, resume=True))
    assert resumed.evaluations[0].estimates == outcome.evaluations[0].estimates
    np.testing.assert_array_equal(answers_of(tmp_path), answers_of(root))


def test_resuming_a_finished_run_publishes_no_second_version(
    trained: tuple[Path, Outcome], dataset_dir: Path
):
    root, outcome = trained
    again = train_and_publish(plan(root, dataset_dir, resume=True))
    assert again.evaluations[0].metrics == outcome.evaluations[0].metrics
    assert volume.versions(root / "models", "vgg16") == [1]


def test_a_run_is_not_resumed_with_other_settings(trained: tuple[Path, Outcome], dataset_dir: Path):
    root, _ = trained
    with pytest.raises(RunError, match="differs in seed"):
        train_and_publish(plan(root, dataset_dir, resume=True, seed=4))
    other = {"vgg16": QUICK.changed(epochs=4)}
    with pytest.raises(RunError, match="differs in recipes"):
        train_and_publish(plan(root, dataset_dir, resume=True, recipes=other))


def test_a_new_run_does_not_start_in_the_folder_of_another(
    trained: tuple[Path, Outcome], dataset_dir: Path
):
    root, _ = trained
    with pytest.raises(RunError, match="add --resume, or choose another --run-dir"):
        train_and_publish(plan(root, dataset_dir))
