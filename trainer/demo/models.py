"""Trains the demo models: the three CNNs, from scratch on phantoms, in a few minutes."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from serving.training_progress import TrainingProgress
from trainer.dataset.split_options import SplitOptions
from trainer.demo.dataset import write_phantoms
from trainer.demo.defaults import DEFAULT_SEED
from trainer.demo.progress import progress_of_all
from trainer.pipeline import Outcome, train_and_publish
from trainer.plan import Plan
from trainer.recipe import read_recipes

logger = logging.getLogger(__name__)

_FASTEST_FIRST: Final = ("resnet50", "xception", "vgg16")
"""So that the service can answer soon."""

MIN_ACCURACY: Final = 0.95
"""On the held-out phantoms. A model below it is not published."""


def make_demo(
    dataset_dir: Path,
    models_dir: Path,
    names: Sequence[str],
    *,
    seed: int = DEFAULT_SEED,
    tell: Callable[[TrainingProgress], None] | None = None,
) -> Outcome:
    """Draw the phantoms, train the CNNs on them and publish them as demo models.

    Args:
        dataset_dir: folder for the phantoms.
        models_dir: the versioned volume.
        names: the CNNs to train.
        seed: the random seed of everything.
        tell: called with the progress.

    Raises:
        TrainerError: a folder cannot be used, or a training failed.
        VolumeError: the volume cannot be written.
    """
    names = sorted(names, key=_FASTEST_FIRST.index)
    logger.info("drawing phantoms into %s", dataset_dir)
    write_phantoms(dataset_dir, seed=seed)
    with tempfile.TemporaryDirectory(prefix="covidscan-demo-") as run_dir:
        return train_and_publish(
            Plan(
                dataset_dir=dataset_dir,
                models_dir=models_dir,
                recipes=read_recipes("demo", names),
                split=SplitOptions(seed=seed),
                seed=seed,
                run_dir=Path(run_dir),
                keep_run=False,
                min_accuracy=MIN_ACCURACY,
                demo=True,
                on_progress=progress_of_all(names, tell) if tell else None,
            )
        )
