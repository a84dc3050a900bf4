"""Three disjoint parts of a dataset: to learn from, to choose by, and to be judged on once."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.model_selection import train_test_split

from trainer.dataset import LabelledImages
from trainer.errors import DatasetError

DEFAULT_SEED: Final = 42
TEST_SHARE: Final = 0.2
VALIDATION_SHARE: Final = 0.1
"""Of what is left once the test part is taken."""


@dataclass(frozen=True)
class Split:
    """The parts; no image is in two of them."""

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages


def random_split(data: LabelledImages, *, seed: int = DEFAULT_SEED) -> Split:
    """Split at random, each part with the classes' shares of the whole.

    Raises:
        DatasetError: there are too few images of a class.
    """
    everything = np.arange(len(data))
    try:
        rest, test = train_test_split(
            everything, test_size=TEST_SHARE, random_state=seed, stratify=data.labels
        )
        train, validation = train_test_split(
            rest, test_size=VALIDATION_SHARE, random_state=seed, stratify=data.labels[rest]
        )
    except ValueError as error:
        raise DatasetError(f"too few images to split in three: {error}") from error
    return Split(data.take(train), data.take(validation), data.take(test))
