"""Records which images a version learned from, so that it is never compared on them."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving import volume
from trainer.dataset.images import LabelledImages

TRAINING_IMAGES_PATH: Final = Path(volume.EXTRA_ASSETS) / "training_images.txt"
"""Inside a version: the digests of its training images, one per line."""


def write_training_images(version_dir: Path, train: LabelledImages) -> None:
    """Record in a version which images it learned from."""
    path = version_dir / TRAINING_IMAGES_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{digest}\n" for digest in sorted(set(train.digests()))))


def learned_from(version_dir: Path, data: LabelledImages) -> NDArray[np.bool_]:
    """Return which of these images a version learned from, bool ``[N]``; none without a record."""
    path = version_dir / TRAINING_IMAGES_PATH
    learned = set(path.read_text().split()) if path.is_file() else set()
    return np.array([digest in learned for digest in data.digests()], np.bool_)
