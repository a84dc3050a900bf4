"""Measures how far a split or dataset leaks: baselines that never look at a lung.

If test images have duplicates or neighbours in the training set, a network is rewarded for
remembering. So before training, this module finds images that are equal or nearly equal on both
sides of the split, and measures the accuracy of one nearest neighbour on grey pixels. If one class
was windowed or exported differently from the other, grey levels give it away. So it also measures
the accuracy of a classifier that knows only how often each grey level occurs. A CNN that is hardly
better than either has shown nothing.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from trainer.dataset.images import LabelledImages
from trainer.dataset.similarity import close_pairs, perceptual_hashes
from trainer.dataset.split import Split

LEAK_MARGIN: Final = 0.05
"""A CNN that beats a baseline by less than this may owe its accuracy to the same cause."""

GREY_LEVELS: Final = 32
"""Number of histogram bins."""

MAX_LISTED_PAIRS: Final = 20


@dataclass(frozen=True)
class Duplicates:
    """Images of two parts that are equal or nearly equal."""

    parts: tuple[str, str]
    exact: list[tuple[str, str]]
    """Pairs of files, one from each part."""
    near: list[tuple[str, str]]
    """The same for nearly equal images, without the exact pairs."""


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """What can be scored on a test set without looking at a lung."""

    nearest_neighbour_accuracy: float
    """Accuracy on the test set of one nearest neighbour from the training set."""
    histogram_accuracy: float
    """Accuracy of a support vector machine on the histograms of grey levels."""
    majority_accuracy: float
    """Accuracy of always predicting the majority class of the training set."""

    def leaks(self, accuracy: float) -> bool:
        """Return whether a model with this accuracy may owe it to the split."""
        return accuracy < self.nearest_neighbour_accuracy + LEAK_MARGIN

    def grey_levels_suffice(self, accuracy: float) -> bool:
        """Return whether a model with this accuracy may owe it to how images were windowed."""
        return accuracy < self.histogram_accuracy + LEAK_MARGIN


@dataclass(frozen=True, kw_only=True)
class LeakageReport(Baselines):
    """What is known about a split before training."""

    duplicates: list[Duplicates]

    def describe(self) -> dict[str, Any]:
        """Return JSON values, with the number of pairs and the first few."""
        return {
            "nearest_neighbour_accuracy": self.nearest_neighbour_accuracy,
            "histogram_accuracy": self.histogram_accuracy,
            "majority_accuracy": self.majority_accuracy,
            "duplicates": [
                {
                    "parts": list(found.parts),
                    "exact": len(found.exact),
                    "near": len(found.near),
                    "pairs": [list(pair) for pair in (found.exact + found.near)[:MAX_LISTED_PAIRS]],
                }
                for found in self.duplicates
            ],
        }


def report_leakage(split: Split) -> LeakageReport:
    """Look for leakage between the parts of a split."""
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    hashes = {name: perceptual_hashes(part) for name, part in parts.items()}
    digests = {name: part.digests() for name, part in parts.items()}
    duplicates = []
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        near = close_pairs(hashes[one], hashes[other])
        exact = {(i, j) for i, j in near if digests[one][i] == digests[other][j]}
        files = (parts[one].files, parts[other].files)
        duplicates.append(
            Duplicates(
                (one, other),
                [(files[0][i], files[1][j]) for i, j in near if (i, j) in exact],
                [(files[0][i], files[1][j]) for i, j in near if (i, j) not in exact],
            )
        )
    return LeakageReport(
        duplicates=duplicates,
        nearest_neighbour_accuracy=_nearest_neighbour_accuracy(split),
        histogram_accuracy=_histogram_accuracy(split),
        majority_accuracy=_majority_accuracy(split),
    )


def _nearest_neighbour_accuracy(split: Split) -> float:
    neighbour = KNeighborsClassifier(1).fit(_grey_pixels(split.train), split.train.labels)
    return float(neighbour.score(_grey_pixels(split.test), split.test.labels))


def _histogram_accuracy(split: Split) -> float:
    machine = make_pipeline(StandardScaler(), SVC())
    machine.fit(_histograms(split.train), split.train.labels)
    return float(machine.score(_histograms(split.test), split.test.labels))


def _majority_accuracy(split: Split) -> float:
    majority = np.bincount(split.train.labels).argmax()
    return float((split.test.labels == majority).mean())


def _grey_pixels(data: LabelledImages) -> NDArray[np.float32]:
    pixels: NDArray[np.float32] = data.images.mean(axis=-1).reshape(len(data), -1)
    return pixels


def _histograms(data: LabelledImages) -> NDArray[np.int64]:
    """Return the number of pixels of each grey level, int64 ``[N, GREY_LEVELS]``."""
    return np.stack([np.histogram(image, GREY_LEVELS, (0, 1))[0] for image in _grey_pixels(data)])
