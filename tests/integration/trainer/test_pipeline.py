"""From a folder of images to published versions and a report, and what stops it on the way."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from serving import volume
from serving.contract import CLASS_NAMES, INPUT_NAME, OUTPUT_NAME
from serving.embedded.engine import Engine
from serving.volume.model_card import ModelCard
from tests.narrow_backbones import NARROW_BACKBONES
from trainer import architectures
from trainer.dataset.images import list_dataset, load_images
from trainer.dataset.split import split_dataset
from trainer.dataset.split_options import SplitOptions
from trainer.demo.dataset import write_phantoms
from trainer.errors import DatasetError, RecipeError, RunError, TrainingError
from trainer.pipeline import Outcome, Plan, train_and_publish
from trainer.recipe import Recipe
from trainer.training.callbacks import CheckpointEachEpoch

QUICK = Recipe(
    weights="none",
    initialisation="zero-init-residual",
    epochs=3,
    batch_size=8,
    learning_rate=1e-3,
    epsilon=1e-7,
    plateau_patience=1,
    batch_norm_momentum=0.9,
    precise_batch_norm=True,
    mixed_precision="off",
)
"""With all that an epoch may leave to the next: moments, learning rate, random states."""

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


@pytest.fixture(scope="module", autouse=True)
def _narrow_backbones() -> Iterator[None]:
    """Train small networks: the demo's tests train the real ones."""
    with pytest.MonkeyPatch.context() as patched:
        for name, backbone in NARROW_BACKBONES.items():
            patched.setitem(architectures._BACKBONES, name, backbone)
        yield


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dataset")
    write_phantoms(directory, seed=0, per_class=24)
    return directory


def plan(root: Path, dataset_dir: Path, **options: Any) -> Plan:
    defaults: dict[str, Any] = {
        "recipes": {"vgg16": QUICK},
        "split": SplitOptions(test_share=0.4),
        "models_dir": root / "models",
        "run_dir": root / "run",
        "seed": 3,
        # Three epochs teach a network little, which is not what these tests are about.
        "force": True,
    }
    return Plan(dataset_dir=dataset_dir, **{**defaults, **options})


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, dataset_dir: Path) -> tuple[Path, Outcome]:
    """One CNN, trained without interruption, and the folder with its run and volume."""
    root = tmp_path_factory.mktemp("trained")
    return root, train_and_publish(plan(root, dataset_dir))


def answers_of(root: Path, version: int = 1) -> np.ndarray:
    images = np.random.default_rng(0).random((8, 64, 64, 3), np.float32)
    loaded = Engine().load(volume.version_dir(root / "models", "vgg16", version))
    return loaded.infer({INPUT_NAME: images})[OUTPUT_NAME]


def test_the_card_tells_what_the_version_comes_from_and_what_it_is_worth(
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


def test_what_is_only_to_be_measured_is_not_published(tmp_path: Path, dataset_dir: Path):
    outcome = train_and_publish(plan(tmp_path, dataset_dir, publish=False))
    assert [(each.name, each.version) for each in outcome.evaluations] == [("vgg16", None)]
    assert outcome.objections == {}
    assert (outcome.run_dir / "predictions.csv").is_file()
    assert not (tmp_path / "models").exists()


def test_the_run_holds_weights_and_graph_for_people(trained: tuple[Path, Outcome]):
    root, outcome = trained
    folder = outcome.run_dir / "vgg16"
    whole = keras.models.load_model(folder / "vgg16.keras")
    parts = keras.models.model_from_json((folder / "vgg16.json").read_text())
    parts.load_weights(folder / "vgg16.weights.h5")
    images = np.random.default_rng(0).random((8, 64, 64, 3), np.float32)
    for model in (whole, parts):
        np.testing.assert_allclose(model(images), answers_of(root), atol=1e-4)


def test_the_run_lists_its_split_such_that_it_can_be_split_so_again(
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


def test_the_report_is_one_page_that_needs_nothing_from_elsewhere(trained: tuple[Path, Outcome]):
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


def test_the_metrics_stand_beside_it_for_machines(trained: tuple[Path, Outcome]):
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


def test_so_does_what_the_model_says_of_each_test_image(trained: tuple[Path, Outcome]):
    _, outcome = trained
    table = pd.read_csv(outcome.run_dir / "predictions.csv")
    listed = (outcome.run_dir / "split" / "test.txt").read_text().splitlines()
    assert list(table["file"]) == listed
    assert [file.split("/")[0] for file in table["file"]] == list(table["class"])
    judged = (table["vgg16"] >= 0.5) == (table["class"] == CLASS_NAMES[0])
    assert judged.mean() == pytest.approx(outcome.evaluations[0].metrics["accuracy"])


def test_the_same_seed_gives_the_same_model_whether_the_run_is_kept_or_not(
    trained: tuple[Path, Outcome], tmp_path: Path, dataset_dir: Path
):
    root, outcome = trained
    again = train_and_publish(plan(tmp_path, dataset_dir, keep_run=False))
    assert not [*again.run_dir.rglob("*.h5"), *again.run_dir.rglob("report.html")]
    assert again.evaluations[0].estimates == outcome.evaluations[0].estimates
    np.testing.assert_array_equal(answers_of(tmp_path), answers_of(root))


def test_a_training_that_stopped_goes_on_as_if_it_had_not(
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


def test_a_run_that_is_done_is_resumed_without_a_second_version(
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


def test_a_run_never_begins_in_the_folder_of_another(
    trained: tuple[Path, Outcome], dataset_dir: Path
):
    root, _ = trained
    with pytest.raises(RunError, match="add --resume, or choose another --run-dir"):
        train_and_publish(plan(root, dataset_dir))


def test_what_the_gate_objects_to_is_not_published(tmp_path: Path, dataset_dir: Path):
    once = {"vgg16": QUICK.changed(epochs=1)}
    outcome = train_and_publish(
        plan(tmp_path, dataset_dir, recipes=once, force=False, min_accuracy=1.01)
    )
    assert volume.versions(tmp_path / "models", "vgg16") == []
    assert "is less than 101.0%" in outcome.objections["vgg16"][-1]
    assert outcome.evaluations[0].version is None


def test_force_publishes_it_all_the_same_and_the_card_says_so(dataset_dir: Path, tmp_path: Path):
    once = {"vgg16": QUICK.changed(epochs=1)}
    outcome = train_and_publish(plan(tmp_path, dataset_dir, recipes=once, min_accuracy=1.01))
    card = ModelCard.read(volume.version_dir(tmp_path / "models", "vgg16", 1))
    assert outcome.objections == {}
    assert card.gate["forced"] is True
    assert "is less than 101.0%" in card.gate["objections"][-1]


def test_several_models_are_judged_together_as_well(tmp_path: Path, dataset_dir: Path):
    once = QUICK.changed(epochs=1)
    outcome = train_and_publish(
        plan(tmp_path, dataset_dir, recipes={"vgg16": once, "resnet50": once})
    )
    vgg16, resnet50, ensemble = outcome.evaluations
    assert [each.name for each in outcome.evaluations] == ["vgg16", "resnet50", "ensemble"]
    np.testing.assert_allclose(
        ensemble.probabilities, (vgg16.probabilities + resnet50.probabilities) / 2
    )


def test_16_bit_training_publishes_a_model_of_32_bits(tmp_path: Path, dataset_dir: Path):
    mixed = QUICK.changed(epochs=1, mixed_precision="on")
    outcome = train_and_publish(plan(tmp_path, dataset_dir, recipes={"vgg16": mixed}))
    model = keras.models.load_model(outcome.run_dir / "vgg16" / "vgg16.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert keras.mixed_precision.dtype_policy().name == "float32"


def test_a_loss_that_is_not_a_number_is_an_error_of_ours(tmp_path: Path, dataset_dir: Path):
    wild = QUICK.changed(learning_rate=1e30, precise_batch_norm=False)
    with pytest.raises(TrainingError, match="choose a lower learning rate"):
        train_and_publish(plan(tmp_path, dataset_dir, recipes={"vgg16": wild}))
    assert volume.versions(tmp_path / "models", "vgg16") == []


def test_a_batch_larger_than_the_training_part_is_an_error_of_ours(
    tmp_path: Path, dataset_dir: Path
):
    large = {"vgg16": QUICK.changed(batch_size=64)}
    with pytest.raises(DatasetError, match="fewer than a batch of 64"):
        train_and_publish(plan(tmp_path, dataset_dir, recipes=large))


def test_missing_imagenet_weights_are_named(tmp_path: Path, dataset_dir: Path):
    imagenet = {"vgg16": QUICK.changed(weights="imagenet")}
    wanted = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    with pytest.raises(RecipeError, match=f"holds no {wanted}"):
        train_and_publish(plan(tmp_path, dataset_dir, recipes=imagenet, weights_dir=tmp_path))


def test_a_picture_in_both_classes_stops_the_run_before_it_trains(tmp_path: Path):
    write_phantoms(tmp_path / "dataset", seed=0, per_class=2)
    picture = tmp_path / "dataset" / "COVID" / "phantom-0001.png"
    shutil.copy(picture, tmp_path / "dataset" / "non-COVID" / "copy.png")
    names = "COVID/phantom-0001.png and non-COVID/copy.png"
    with pytest.raises(DatasetError, match=f"the same picture is in two classes: {names}"):
        train_and_publish(plan(tmp_path, tmp_path / "dataset"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_one_class_alone_is_an_error_of_ours(tmp_path: Path, name: str):
    write_phantoms(tmp_path / "dataset", seed=0, per_class=2)
    (tmp_path / "dataset" / name).rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="is missing"):
        train_and_publish(plan(tmp_path, tmp_path / "dataset"))
