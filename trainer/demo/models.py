"""The demo models: the three CNNs, trained from scratch on phantoms in a few minutes on a CPU."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from trainer.demo.dataset import write_phantoms
from trainer.pipeline import Result, train_and_publish
from trainer.recipe import Augmentation, Recipe

logger = logging.getLogger(__name__)

DEFAULT_SEED: Final = 7

MIN_ACCURACY: Final = 0.95
"""On the held-out phantoms; a model below it is not published."""

_RECIPE: Final = Recipe(epochs=2, batch_size=12, augmentation=Augmentation())

RECIPES: Final[Mapping[str, Recipe]] = {
    "vgg16": dataclasses.replace(_RECIPE, learning_rate=5e-4),
    "resnet50": dataclasses.replace(_RECIPE, learning_rate=1.5e-3),
    "xception": dataclasses.replace(_RECIPE, learning_rate=3e-3, epochs=3),
}
"""As short as they can be: residual networks bear a higher learning rate, Xception needs more
steps."""


def make_demo(
    dataset_dir: Path, models_dir: Path, names: Sequence[str], *, seed: int = DEFAULT_SEED
) -> list[Result]:
    """Draw the phantoms, train the CNNs on them and publish them as demo models.

    Args:
        dataset_dir: where the phantoms go.
        models_dir: the versioned volume.
        names: which CNNs.
        seed: of everything that is random.

    Raises:
        TrainerError: a folder cannot be used, or a model stayed below ``MIN_ACCURACY``.
        VolumeError: the volume cannot be written.
    """
    logger.info("drawing phantoms into %s", dataset_dir)
    write_phantoms(dataset_dir, seed=seed)
    return train_and_publish(
        dataset_dir,
        models_dir,
        {name: RECIPES[name] for name in names},
        seed=seed,
        demo=True,
        min_accuracy=MIN_ACCURACY,
    )
