"""An export holds each weight once and gives the same answers in every runtime."""

import contextlib
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.tools import saved_model_cli
from tensorflow_serving.apis import prediction_log_pb2

from serving import volume
from serving.contract import (
    INPUT_NAME,
    MODEL_NAMES,
    OOD_OUTPUT_NAME,
    OUTPUT_NAME,
    SIGNATURE_NAME,
)
from serving.embedded.engine import Engine
from serving.errors import VolumeError
from serving.volume.model_card import ModelCard
from trainer.architectures import build
from trainer.dataset.images import LabelledImages
from trainer.dataset.training_images import TRAINING_IMAGES_PATH
from trainer.errors import ExportError
from trainer.ood.score import OodScorer, fit_ood_scorer, with_ood_score
from trainer.publication.export import WARM_UP_PATH, check_same_answers, publish
from trainer.recipe import Recipe
from trainer.training.precise_batch_norm import estimate_batch_norm

BRIGHTNESS = np.linspace(0.2, 1, 64, dtype=np.float32).reshape(64, 1, 1, 1)
NOISE = np.random.default_rng(0).random((64, 64, 64, 3), np.float32) * BRIGHTNESS
IMAGES = NOISE[::16]
RECIPE = Recipe(weights="none", initialisation="zero-init-residual")
LEARNED = LabelledImages(IMAGES, np.array([0, 1, 0, 1]), ("a", "b", "c", "d"))
HELD_OUT = LabelledImages(NOISE[1::16], np.array([0, 1, 0, 1]), ("e", "f", "g", "h"))


@contextlib.contextmanager
def at_most_this_much_written(size_bytes: int) -> Iterator[None]:
    """Let any larger file fail half-way, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def randomise(model: keras.Model) -> None:
    """Leave the model as training does: at its start values, every answer is one half."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(rng.uniform(0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(rng.normal(0, 0.1, layer.beta.shape))
    classifier = model.get_layer(OUTPUT_NAME)
    classifier.kernel.assign(rng.normal(0, 0.1, classifier.kernel.shape))
    estimate_batch_norm(model, NOISE)


class Published(NamedTuple):
    model: keras.Model
    version_dir: Path
    scorer: OodScorer


@pytest.fixture(scope="module", params=MODEL_NAMES)
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    """Each CNN, untrained, as version 1 of a volume."""
    keras.utils.set_random_seed(0)
    model = build(request.param, RECIPE)
    randomise(model)
    models_dir = tmp_path_factory.mktemp("models")
    card = ModelCard(name=model.name, demo=True, created_at="2026-11-24", metrics={"accuracy": 0.5})
    scorer = fit_ood_scorer(model, LEARNED, HELD_OUT)
    assert publish(model, models_dir, card, LEARNED, scorer) == 1
    return Published(model, volume.version_dir(models_dir, model.name, 1), scorer)


def test_the_embedded_engine_gives_the_same_probabilities_as_keras(published: Published):
    model, version_dir, _ = published
    loaded = Engine().load(version_dir)
    answers = loaded.infer({INPUT_NAME: IMAGES})[OUTPUT_NAME]
    np.testing.assert_allclose(answers, np.asarray(model(IMAGES)), atol=1e-4)
    assert len(np.unique(answers.round(3), axis=0)) == len(IMAGES)
    assert [(s.name, s.shape) for s in loaded.inputs] == [(INPUT_NAME, (-1, 64, 64, 3))]
    assert {s.name: s.shape for s in loaded.outputs} == {
        OUTPUT_NAME: (-1, 2),
        OOD_OUTPUT_NAME: (-1,),
    }
    assert {s.dtype for s in loaded.outputs} == {np.dtype(np.float32)}


def test_the_embedded_engine_gives_the_same_ood_score_as_keras(
    published: Published,
):
    model, version_dir, scorer = published
    far = np.concatenate([IMAGES, 1 - IMAGES, IMAGES[:, ::-1]])
    measured = Engine().load(version_dir).infer({INPUT_NAME: far})[OOD_OUTPUT_NAME]
    known = with_ood_score(model, scorer)
    np.testing.assert_allclose(measured, np.asarray(known(far)[OOD_OUTPUT_NAME]), atol=2e-3)


def test_tensorflow_gives_the_same_probabilities_under_the_only_signature(
    published: Published,
):
    model, version_dir, _ = published
    saved = tf.saved_model.load(str(version_dir))
    assert list(saved.signatures) == [SIGNATURE_NAME]
    signature = saved.signatures[SIGNATURE_NAME]
    assert set(signature.structured_outputs) == {OUTPUT_NAME, OOD_OUTPUT_NAME}
    answers = signature(**{INPUT_NAME: tf.constant(IMAGES)})[OUTPUT_NAME]
    np.testing.assert_allclose(answers, np.asarray(model(IMAGES)), atol=1e-4)


def test_saved_model_cli_shows_the_signature(
    published: Published, capsys: pytest.CaptureFixture[str]
):
    version_dir = published.version_dir
    arguments = saved_model_cli.create_parser().parse_args(
        ["show", f"--dir={version_dir}", "--tag_set=serve", f"--signature_def={SIGNATURE_NAME}"]
    )
    arguments.func()
    shown = " ".join(capsys.readouterr().out.split())
    assert "inputs['image'] tensor_info: dtype: DT_FLOAT shape: (-1, 64, 64, 3)" in shown
    assert "outputs['probabilities'] tensor_info: dtype: DT_FLOAT shape: (-1, 2)" in shown
    assert "outputs['ood_score'] tensor_info: dtype: DT_FLOAT shape: (-1)" in shown


def test_each_weight_is_on_disk_once_and_none_in_the_graph(published: Published):
    """TensorFlow Serving would hold those of the graph many times in memory."""
    model, version_dir, _ = published
    size = sum(file.stat().st_size for file in version_dir.rglob("*") if file.is_file())
    assert 0.95 < size / (4 * model.count_params()) < 1.1
    assert (version_dir / "saved_model.pb").stat().st_size < 0.05 * size
    stored = tf.train.list_variables(str(version_dir / "variables" / "variables"))
    weights = sum(int(np.prod(shape)) for name, shape in stored if name.startswith("weights/"))
    assert weights == pytest.approx(model.count_params(), rel=0.01)


def test_tensorflow_serving_can_replay_the_warm_up_requests(
    published: Published,
):
    model, version_dir, _ = published
    records = list(tf.data.TFRecordDataset(str(version_dir / WARM_UP_PATH)).as_numpy_iterator())
    requests = [
        prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for record in records
    ]
    assert {request.model_spec.name for request in requests} == {model.name}
    assert {request.model_spec.signature_name for request in requests} == {SIGNATURE_NAME}
    shapes = [tf.make_ndarray(request.inputs[INPUT_NAME]).shape for request in requests]
    assert shapes == [(1, 64, 64, 3), (8, 64, 64, 3)]


def test_the_version_has_its_model_card_and_the_digests_of_its_training_images(
    published: Published,
):
    model, version_dir, _ = published
    card = ModelCard.read(version_dir)
    assert (card.name, card.demo, card.metrics) == (model.name, True, {"accuracy": 0.5})
    assert set((version_dir / TRAINING_IMAGES_PATH).read_text().split()) == set(LEARNED.digests())


def test_a_full_disk_is_reported_and_publishes_nothing(published: Published, tmp_path: Path):
    model, _, scorer = published
    card = ModelCard(name=model.name, demo=True, created_at="2026-11-24", metrics={})
    with (
        at_most_this_much_written(4 << 20),
        pytest.raises(VolumeError, match=f"volume of {model.name}: .*; nothing was published"),
    ):
        publish(model, tmp_path, card, LEARNED, scorer)
    assert [path.name for path in (tmp_path / model.name).iterdir()] == []


def test_an_export_with_different_probabilities_is_rejected(published: Published):
    model, version_dir, _ = published
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    check_same_answers(other, version_dir)
    other.get_layer(OUTPUT_NAME).bias.assign([1, 0])
    with pytest.raises(ExportError, match="gives answers that differ"):
        check_same_answers(other, version_dir)
