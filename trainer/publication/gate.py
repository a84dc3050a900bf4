"""The publication gate: decides whether a model may be served."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf

from serving import volume
from serving.contract import CLASS_NAMES, INPUT_NAME, OUTPUT_NAME, SIGNATURE_NAME
from serving.errors import VolumeError
from serving.volume.model_card import ModelCard
from trainer.batched_inference import infer_in_batches
from trainer.dataset.images import LabelledImages
from trainer.dataset.training_images import learned_from
from trainer.evaluation.metrics import Probabilities, measure, positive

logger = logging.getLogger(__name__)

MIN_SPREAD: Final = 0.01
"""Standard deviation of the probability of COVID. Below it, all answers are nearly equal."""

MARGIN: Final = 0.02
"""How much the balanced accuracy may fall from one version to the next."""

MIN_COMPARED: Final = 30
"""Number of images. On fewer, two versions are not compared."""


@dataclass(frozen=True)
class GateReport:
    """The objections to a model, and the version that it was compared with."""

    objections: list[str]
    compared_with: int | None


def inspect(
    name: str,
    models_dir: Path,
    probabilities: Probabilities,
    test: LabelledImages,
    *,
    demo: bool,
    min_accuracy: float | None = None,
) -> GateReport:
    """Check a model's answers on its test set against limits and the version it would replace.

    Args:
        name: name of the servable.
        models_dir: the versioned volume.
        probabilities: the new model's, float ``[N, 2]``.
        test: the images that they belong to.
        demo: whether the model was trained on phantoms. Only models of its kind are compared.
        min_accuracy: the required accuracy.
    """
    objections = []
    spread = float(positive(probabilities).std())
    if spread < MIN_SPREAD:
        objections.append(f"it answers nearly the same to every image (deviation {spread:.4f})")
    accuracy = measure(probabilities, test.labels)["accuracy"]
    if min_accuracy is not None and accuracy < min_accuracy:
        objections.append(f"its accuracy of {accuracy:.1%} is less than {min_accuracy:.1%}")
    incumbent = _incumbent(models_dir, name, demo=demo)
    if incumbent is None:
        return GateReport(objections, None)
    unseen = np.flatnonzero(~learned_from(volume.version_dir(models_dir, name, incumbent), test))
    unseen_images = test.take(unseen)
    if len(unseen_images) < MIN_COMPARED or len(np.unique(unseen_images.labels)) < len(CLASS_NAMES):
        return GateReport(objections, None)
    answers = _ask(models_dir, name, incumbent, unseen_images)
    if answers is None:
        return GateReport(objections, None)
    before = measure(answers, unseen_images.labels)["balanced_accuracy"]
    after = measure(probabilities[unseen], unseen_images.labels)["balanced_accuracy"]
    if after < before - MARGIN:
        objections.append(
            f"its balanced accuracy of {after:.1%} is less than the {before:.1%} of version"
            f" {incumbent}, on {len(unseen_images)} test images"
        )
    return GateReport(objections, incumbent)


def _incumbent(models_dir: Path, name: str, *, demo: bool) -> int | None:
    for version in reversed(volume.versions(models_dir, name)):
        try:
            card = ModelCard.read(volume.version_dir(models_dir, name, version))
        except VolumeError:
            continue
        if card.demo == demo:
            return version
    return None


def _ask(models_dir: Path, name: str, version: int, data: LabelledImages) -> Probabilities | None:
    try:
        loaded = tf.saved_model.load(str(volume.version_dir(models_dir, name, version)))
    except (OSError, ValueError, tf.errors.OpError) as error:
        logger.warning("cannot compare with version %d of %s: %s", version, name, error)
        return None
    signature = loaded.signatures[SIGNATURE_NAME]
    return infer_in_batches(
        lambda images: signature(**{INPUT_NAME: tf.constant(images)})[OUTPUT_NAME], data.images
    )
