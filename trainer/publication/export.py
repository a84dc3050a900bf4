"""Exports a trained Keras model as a published version that a model server can load."""

import platform
from pathlib import Path
from typing import Final

import keras
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from imaging.model_input import CHANNELS, IMAGE_SIZE
from serving import volume
from serving.contract import INPUT_NAME, OUTPUT_NAME, SIGNATURE_NAME
from serving.errors import VolumeError
from serving.volume.model_card import ModelCard
from trainer.dataset.images import LabelledImages
from trainer.dataset.training_images import write_training_images
from trainer.errors import ExportError
from trainer.native_output import quiet_native_output
from trainer.ood.score import OodScorer, with_ood_score
from trainer.publication.folding import fold_batch_normalisation

WARM_UP_PATH: Final = Path(volume.EXTRA_ASSETS) / "tf_serving_warmup_requests"
WARM_UP_BATCH_SIZES: Final = (1, 8)

_TOLERANCE: Final = 1e-4
_PROBE_SEED: Final = 0


def publish(
    model: keras.Model,
    models_dir: Path,
    card: ModelCard,
    train: LabelledImages,
    scorer: OodScorer,
) -> int:
    """Export a model as the next version of its servable; return the version.

    Args:
        model: the trained model, computing in 32 bits.
        models_dir: the versioned volume.
        card: the model card of the version.
        train: the images that the model learned from.
        scorer: the out-of-distribution scorer fitted on them.

    Raises:
        ExportError: the exported graph gives other answers. Nothing is published.
        VolumeError: the volume cannot be written. Nothing is published.
    """
    try:
        with volume.draft(models_dir, model.name) as draft:
            save(with_ood_score(model, scorer), draft.path)
            check_same_answers(model, draft.path)
            write_warm_up(model.name, draft.path)
            write_training_images(draft.path, train)
            card.write(draft.path)
    except (OSError, tf.errors.OpError) as error:
        raise VolumeError(
            f"cannot write to the volume of {model.name}: {_reason(error)}; nothing was published"
        ) from error
    if draft.version is None:
        raise ExportError(f"{model.name} was not published")
    return draft.version


def describe_environment() -> dict[str, str]:
    """Return the software versions that trained a model, for its card."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def save(model: keras.Model, path: Path) -> None:
    """Write a SavedModel with the single signature of the contract.

    The model returns its probabilities, or a mapping of them and the out-of-distribution score.
    Weights stay variables: TensorFlow keeps the constants of a graph in memory many times
    (docs/decisions/0003). Batch normalisation is merged into the layers before it, because
    TensorFlow itself merges it only into constants.
    """
    folded = fold_batch_normalisation(model)
    image = tf.TensorSpec([None, IMAGE_SIZE, IMAGE_SIZE, CHANNELS], tf.float32, name=INPUT_NAME)

    def predict(image: tf.Tensor) -> dict[str, tf.Tensor]:
        answers = folded(image, training=False)
        return answers if isinstance(answers, dict) else {OUTPUT_NAME: answers}

    module = tf.Module()
    # A checkpoint keeps TensorFlow's variables, not Keras' own.
    module.weights = [variable.value for variable in folded.variables]
    module.predict = tf.function(predict, input_signature=[image], jit_compile=False)
    with quiet_native_output():
        tf.saved_model.save(module, str(path), signatures={SIGNATURE_NAME: module.predict})


def check_same_answers(model: keras.Model, path: Path) -> None:
    """Compare the SavedModel's answers with the model's own.

    Raises:
        ExportError: they differ by more than rounding.
    """
    images = np.random.default_rng(_PROBE_SEED).random(
        (4, IMAGE_SIZE, IMAGE_SIZE, CHANNELS), np.float32
    )
    signature = tf.saved_model.load(str(path)).signatures[SIGNATURE_NAME]
    exported = signature(**{INPUT_NAME: tf.constant(images)})[OUTPUT_NAME].numpy()
    expected = np.asarray(model(images, training=False))
    difference = float(np.abs(exported - expected).max())
    # Written so that a NaN, for which every comparison is false, is rejected as well.
    if not difference <= _TOLERANCE:
        raise ExportError(
            f"the export of {model.name} gives answers that differ by {difference:.2g}"
        )


def write_warm_up(name: str, path: Path) -> None:
    """Write the requests that TensorFlow Serving replays before a version becomes available."""
    target = path / WARM_UP_PATH
    target.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(target)) as writer:
        for batch_size in WARM_UP_BATCH_SIZES:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = SIGNATURE_NAME
            images = np.zeros((batch_size, IMAGE_SIZE, IMAGE_SIZE, CHANNELS), np.float32)
            request.inputs[INPUT_NAME].CopyFrom(tf.make_tensor_proto(images))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())


def _reason(error: OSError | tf.errors.OpError) -> str:
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower()
    # TensorFlow's message ends with the reason and begins with a path.
    return str(error.message).rpartition("; ")[2].lower()
