"""The gate rejects models that are not good enough to be published."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from serving import volume
from serving.contract import CLASS_NAMES, INPUT_NAME, OUTPUT_NAME, SIGNATURE_NAME
from serving.volume.model_card import CARD_PATH, ModelCard
from trainer.dataset.images import LabelledImages
from trainer.dataset.training_images import write_training_images
from trainer.publication.gate import GateReport, inspect

COUNT = 40
BRIGHTNESS = np.linspace(0, 1, COUNT, dtype=np.float32)
TEST = LabelledImages(
    np.broadcast_to(BRIGHTNESS[:, None, None, None], (COUNT, 64, 64, 3)),
    # The bright images are COVID.
    np.where(BRIGHTNESS > 0.5, 0, 1),
    tuple(map(str, range(COUNT))),
)
GOOD = np.stack([BRIGHTNESS, 1 - BRIGHTNESS], axis=1)
BAD = GOOD[:, ::-1]

# More than one batch, with 60 images of each class.
LONG = np.linspace(0, 1, 120, dtype=np.float32)
LONG_TEST = LabelledImages(
    np.broadcast_to(LONG[:, None, None, None], (120, 64, 64, 3)),
    np.where(LONG > 0.5, 0, 1),
    tuple(map(str, range(120))),
)
LONG_GOOD = np.stack([LONG, 1 - LONG], axis=1)


def publish(models_dir: Path, *, good: bool, demo: bool = False) -> int:
    """Publish a SavedModel that classifies by brightness, correctly or inverted."""

    @tf.function(input_signature=[tf.TensorSpec([None, 64, 64, 3], tf.float32, name=INPUT_NAME)])
    def predict(image: tf.Tensor) -> dict[str, tf.Tensor]:
        bright = tf.reduce_mean(image, axis=[1, 2, 3])
        columns = [bright, 1 - bright]
        return {OUTPUT_NAME: tf.stack(columns if good else columns[::-1], axis=1)}

    module = tf.Module()
    module.predict = predict
    with volume.draft(models_dir, "vgg16") as draft:
        tf.saved_model.save(module, str(draft.path), signatures={SIGNATURE_NAME: predict})
        ModelCard(name="vgg16", demo=demo, created_at="2026-11-24", metrics={}).write(draft.path)
    assert draft.version is not None
    return draft.version


def pass_gate(models_dir: Path, probabilities: np.ndarray, **options: float) -> GateReport:
    return inspect("vgg16", models_dir, probabilities, TEST, demo=False, **options)


def test_a_good_first_model_passes(tmp_path: Path):
    assert pass_gate(tmp_path, GOOD) == GateReport([], None)


def test_a_collapsed_model_is_rejected(tmp_path: Path):
    constant = 0.5 + (GOOD - 0.5) * 0.01
    assert "nearly the same to every image" in pass_gate(tmp_path, constant).objections[0]


def test_a_model_below_the_minimum_accuracy_is_rejected(tmp_path: Path):
    assert pass_gate(tmp_path, GOOD, min_accuracy=0.9).objections == []
    assert pass_gate(tmp_path, BAD, min_accuracy=0.9).objections == [
        "its accuracy of 0.0% is less than 90.0%"
    ]


def test_a_model_worse_than_the_newest_version_is_rejected(tmp_path: Path):
    publish(tmp_path, good=False)
    newest = publish(tmp_path, good=True)
    report = pass_gate(tmp_path, BAD)
    assert report.compared_with == newest
    assert f"than the 100.0% of version {newest}, on 40 test images" in report.objections[0]


@pytest.mark.parametrize("newest_is_good", [True, False])
def test_a_model_at_least_as_good_as_the_newest_version_passes(
    tmp_path: Path, newest_is_good: bool
):
    version = publish(tmp_path, good=newest_is_good)
    assert pass_gate(tmp_path, GOOD) == GateReport([], version)


def test_models_trained_on_patients_are_not_compared_with_demo_models(tmp_path: Path):
    real = publish(tmp_path, good=False)
    publish(tmp_path, good=True, demo=True)
    assert pass_gate(tmp_path, BAD) == GateReport([], real)


def test_a_published_version_is_not_evaluated_on_its_own_training_images(tmp_path: Path):
    version = publish(tmp_path, good=True)
    directory = volume.version_dir(tmp_path, "vgg16", version)
    write_training_images(directory, TEST.take(np.arange(0, COUNT, 8)))
    assert "on 35 test images" in pass_gate(tmp_path, BAD).objections[0]
    write_training_images(directory, TEST.take(np.arange(0, COUNT, 2)))
    assert pass_gate(tmp_path, BAD) == GateReport([], None)


def test_versions_are_not_compared_on_fewer_than_30_images(tmp_path: Path):
    version = publish(tmp_path, good=True)
    directory = volume.version_dir(tmp_path, "vgg16", version)
    write_training_images(directory, TEST.take(np.arange(15, 25)))
    assert pass_gate(tmp_path, GOOD) == GateReport([], version)
    assert "on 30 test images" in pass_gate(tmp_path, BAD).objections[0]
    write_training_images(directory, TEST.take(np.arange(15, 26)))
    assert pass_gate(tmp_path, BAD) == GateReport([], None)


def test_versions_are_not_compared_on_images_of_a_single_class(tmp_path: Path):
    version = publish(tmp_path, good=True)
    training_images = LONG_TEST.take(np.flatnonzero(LONG_TEST.labels == 0))
    write_training_images(volume.version_dir(tmp_path, "vgg16", version), training_images)
    report = inspect("vgg16", tmp_path, LONG_GOOD[:, ::-1], LONG_TEST, demo=False)
    assert report == GateReport([], None)


@pytest.mark.parametrize(("mistakes", "passes"), [(1, True), (4, False)])
def test_a_model_is_rejected_only_if_it_is_clearly_worse_than_the_newest_version(
    tmp_path: Path, mistakes: int, passes: bool
):
    version = publish(tmp_path, good=True)
    probabilities = LONG_GOOD.copy()
    probabilities[:mistakes] = probabilities[:mistakes, ::-1]
    report = inspect("vgg16", tmp_path, probabilities, LONG_TEST, demo=False)
    assert report.compared_with == version
    assert (report.objections == []) == passes


def test_a_version_without_a_model_card_is_skipped(tmp_path: Path):
    version = publish(tmp_path, good=True)
    newest = publish(tmp_path, good=False)
    (volume.version_dir(tmp_path, "vgg16", newest) / CARD_PATH).unlink()
    assert pass_gate(tmp_path, BAD).compared_with == version


def test_the_bright_images_are_labelled_covid_in_the_contract():
    assert CLASS_NAMES[TEST.labels[-1]] == "COVID"


def test_a_damaged_version_does_not_block_publication(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    version = publish(tmp_path, good=True)
    (volume.version_dir(tmp_path, "vgg16", version) / "saved_model.pb").write_bytes(b"damaged")
    assert pass_gate(tmp_path, BAD) == GateReport([], None)
    assert f"cannot compare with version {version} of vgg16" in caplog.text
