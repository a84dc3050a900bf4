"""The demo models: the three CNNs, trained from scratch on phantoms in a few minutes."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from trainer.dataset.split import SplitOptions
from trainer.demo.dataset import write_phantoms
from trainer.pipeline import Outcome, Plan, train_and_publish
from trainer.recipe import read_recipes

logger = logging.getLogger(__name__)

DEFAULT_SEED: Final = 7

MIN_ACCURACY: Final = 0.95
"""On the held-out phantoms; a model below it is not published."""


def make_demo(
    dataset_dir: Path, models_dir: Path, names: Sequence[str], *, seed: int = DEFAULT_SEED
) -> Outcome:
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
    with tempfile.TemporaryDirectory(prefix="covidscan-demo-") as run_dir:
        return train_and_publish(
            Plan(
                dataset_dir=dataset_dir,
                models_dir=models_dir,
                recipes=read_recipes("demo", names),
                split=SplitOptions(seed=seed),
                seed=seed,
                run_dir=Path(run_dir),
                min_accuracy=MIN_ACCURACY,
                demo=True,
            )
        )
