"""What a training run does with bad models, several models, and data that it cannot use."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from serving import volume
from serving.contract import CLASS_NAMES
from serving.volume.model_card import ModelCard
from tests.integration.trainer.quick_training import QUICK, plan
from trainer.demo.dataset import write_phantoms
from trainer.errors import DatasetError, RecipeError, TrainingError
from trainer.pipeline import train_and_publish

pytestmark = pytest.mark.usefixtures("narrow_backbones")


def test_a_model_that_the_gate_objects_to_is_not_published(tmp_path: Path, dataset_dir: Path):
    once = {"vgg16": QUICK.changed(epochs=1)}
    outcome = train_and_publish(
        plan(tmp_path, dataset_dir, recipes=once, force=False, min_accuracy=1.01)
    )
    assert volume.versions(tmp_path / "models", "vgg16") == []
    assert "is less than 101.0%" in outcome.objections["vgg16"][-1]
    assert outcome.evaluations[0].version is None


def test_force_publishes_despite_objections_and_the_card_records_it(
    dataset_dir: Path, tmp_path: Path
):
    once = {"vgg16": QUICK.changed(epochs=1)}
    outcome = train_and_publish(plan(tmp_path, dataset_dir, recipes=once, min_accuracy=1.01))
    card = ModelCard.read(volume.version_dir(tmp_path / "models", "vgg16", 1))
    assert outcome.objections == {}
    assert card.gate["forced"] is True
    assert "is less than 101.0%" in card.gate["objections"][-1]


def test_several_models_are_also_evaluated_as_an_ensemble(tmp_path: Path, dataset_dir: Path):
    once = QUICK.changed(epochs=1)
    outcome = train_and_publish(
        plan(tmp_path, dataset_dir, recipes={"vgg16": once, "resnet50": once})
    )
    vgg16, resnet50, ensemble = outcome.evaluations
    assert [each.name for each in outcome.evaluations] == ["vgg16", "resnet50", "ensemble"]
    np.testing.assert_allclose(
        ensemble.probabilities, (vgg16.probabilities + resnet50.probabilities) / 2
    )


def test_mixed_precision_training_publishes_a_float32_model(tmp_path: Path, dataset_dir: Path):
    mixed = QUICK.changed(epochs=1, mixed_precision="on")
    outcome = train_and_publish(plan(tmp_path, dataset_dir, recipes={"vgg16": mixed}))
    model = keras.models.load_model(outcome.run_dir / "vgg16" / "vgg16.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert keras.mixed_precision.dtype_policy().name == "float32"


def test_a_loss_that_is_not_a_number_raises_training_error(tmp_path: Path, dataset_dir: Path):
    wild = QUICK.changed(learning_rate=1e30, precise_batch_norm=False)
    with pytest.raises(TrainingError, match="choose a lower learning rate"):
        train_and_publish(plan(tmp_path, dataset_dir, recipes={"vgg16": wild}))
    assert volume.versions(tmp_path / "models", "vgg16") == []


def test_a_batch_larger_than_the_training_set_raises_dataset_error(
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


def test_an_image_in_both_classes_stops_the_run_before_training(tmp_path: Path):
    write_phantoms(tmp_path / "dataset", seed=0, per_class=2)
    picture = tmp_path / "dataset" / "COVID" / "phantom-0001.png"
    shutil.copy(picture, tmp_path / "dataset" / "non-COVID" / "copy.png")
    names = "COVID/phantom-0001.png and non-COVID/copy.png"
    with pytest.raises(DatasetError, match=f"the same picture is in two classes: {names}"):
        train_and_publish(plan(tmp_path, tmp_path / "dataset"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_a_missing_class_folder_raises_dataset_error(tmp_path: Path, name: str):
    write_phantoms(tmp_path / "dataset", seed=0, per_class=2)
    (tmp_path / "dataset" / name).rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="is missing"):
        train_and_publish(plan(tmp_path, tmp_path / "dataset"))
