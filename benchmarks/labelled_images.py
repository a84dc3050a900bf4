"""Labelled images, and the confusion of a model on them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imaging.decode import decode_image
from imaging.preprocess import preprocess
from serving.contract import CLASS_NAMES, DEFAULT_OPERATING_POINT, POSITIVE_CLASS

CONFUSION = "confusion is COVID found and missed, non-COVID found and missed"


@dataclass(frozen=True)
class LabelledImages:
    """Model inputs, float32 ``[N, 64, 64, 3]``, and which of them are positive."""

    images: NDArray[np.float32]
    positive: NDArray[np.bool_]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.images)

    def confusion(self, probabilities: NDArray[np.float32]) -> str:
        """Return the confusion at the operating point, as four counts."""
        predicted = labels(probabilities)
        true = self.positive
        counts = (true & predicted, true & ~predicted, ~true & ~predicted, ~true & predicted)
        return ", ".join(str(int(count.sum())) for count in counts)


def labels(probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which images are predicted positive, from their probabilities."""
    return probabilities >= DEFAULT_OPERATING_POINT


def read_labelled(dataset: Path, listed: Path | None) -> LabelledImages:
    """Read images from one folder per class.

    Args:
        dataset: contains ``COVID/`` and ``non-COVID/``.
        listed: text file that lists the images, one per line. Without it, all are read.
    """
    if listed is None:
        files = sorted(file for name in CLASS_NAMES for file in (dataset / name).iterdir())
    else:
        files = [dataset / line for line in listed.read_text().splitlines() if line.strip()]
    return LabelledImages(
        np.stack([preprocess(decode_image(file.read_bytes()).pixels) for file in files]),
        np.array([file.parent.name == POSITIVE_CLASS for file in files]),
    )
