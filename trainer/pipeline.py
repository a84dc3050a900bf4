"""From a folder of images to published versions."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from trainer.dataset import LabelledImages, load_images, read_frame
from trainer.errors import TrainingError
from trainer.evaluation import metrics, predict, soft_vote
from trainer.export import Provenance, publish
from trainer.recipe import Recipe
from trainer.split import DEFAULT_SEED, random_split
from trainer.training import train

logger = logging.getLogger(__name__)

ENSEMBLE: Final = "ensemble"


@dataclass(frozen=True)
class Result:
    """A model's metrics on the test part; the ensemble has no version."""

    name: str
    version: int | None
    metrics: dict[str, float]


def train_and_publish(
    dataset_dir: Path,
    models_dir: Path,
    recipes: Mapping[str, Recipe],
    *,
    seed: int = DEFAULT_SEED,
    demo: bool = False,
    min_accuracy: float | None = None,
) -> list[Result]:
    """Train CNNs on one dataset; each is published as soon as it is done.

    Args:
        dataset_dir: images in the layout ``COVID/``, ``non-COVID/``.
        models_dir: the versioned volume.
        recipes: which CNNs, and how each of them is trained.
        seed: of the split and of all that is random in training.
        demo: whether the images are phantoms.
        min_accuracy: on the test part; a model below it is not published.

    Returns:
        A result for each model, and one for their ensemble where there are several.

    Raises:
        TrainerError: the dataset, a model or its export is not good enough.
        VolumeError: the volume cannot be written.
    """
    frame = read_frame(dataset_dir)
    data = load_images(frame)
    split = random_split(data, seed=seed)
    dataset = {
        "images": len(data),
        "sha256": _fingerprint(data),
        "split": {"kind": "random", "seed": seed, "test": len(split.test)},
    }
    results: list[Result] = []
    probabilities: list[NDArray[np.float32]] = []
    for name, recipe in recipes.items():
        model = train(name, split, recipe, seed=seed)
        probabilities.append(predict(model, split.test))
        scores = metrics(probabilities[-1], split.test.labels)
        if min_accuracy is not None and scores["accuracy"] < min_accuracy:
            raise TrainingError(
                f"{name} reached an accuracy of {scores['accuracy']:.1%} on its test part,"
                f" less than {min_accuracy:.0%}, and is not published"
            )
        provenance = Provenance(demo=demo, dataset=dataset, recipe=recipe.describe())
        version = publish(model, models_dir, scores, provenance)
        logger.info("published %s version %d, accuracy %.3f", name, version, scores["accuracy"])
        results.append(Result(name, version, scores))
        # Three models and their optimisers at once would not fit a small machine.
        keras.backend.clear_session()
    if len(results) > 1:
        ensemble = soft_vote(probabilities)
        results.append(Result(ENSEMBLE, None, metrics(ensemble, split.test.labels)))
    return results


def _fingerprint(data: LabelledImages) -> str:
    """Changes with any pixel or label that the models see, and with nothing else."""
    digest = hashlib.sha256(data.images.tobytes())
    digest.update(data.labels.tobytes())
    return digest.hexdigest()
