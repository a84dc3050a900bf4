"""A small dataset to split, and the files that describe a split of it."""

from pathlib import Path
from typing import Any

import numpy as np

from trainer.dataset.images import LabelledImages
from trainer.dataset.split import Split, split_dataset
from trainer.dataset.split_options import SplitOptions

PER_CLASS = 60


def make_data(per_class: int = PER_CLASS) -> LabelledImages:
    """Files whose names sort differently from their numbers: ``COVID/slice (10).png`` before 9."""
    numbers = sorted(range(1, per_class + 1), key=str)
    files = [f"{name}/slice ({n}).png" for name in ("COVID", "non-COVID") for n in numbers]
    images = np.arange(2 * per_class, dtype=np.float32)[:, None, None, None]
    return LabelledImages(
        np.broadcast_to(images, (2 * per_class, 64, 64, 3)),
        np.repeat([0, 1], per_class),
        tuple(files),
    )


DATA = make_data()


def split(data: LabelledImages = DATA, **options: Any) -> Split:
    return split_dataset(data, SplitOptions(**options))


def parts(whole: Split) -> list[LabelledImages]:
    return [whole.train, whole.validation, whole.test]


def write_patients(path: Path, data: LabelledImages, patients: list[Any]) -> Path:
    rows = [f"{file},{patient}" for file, patient in zip(data.files, patients, strict=True)]
    path.write_text("\n".join(["file,patient", *rows]) + "\n")
    return path


def write_lists(root: Path, **lists: list[str]) -> dict[str, tuple[Path, ...]]:
    options = {}
    for name, files in lists.items():
        (root / f"{name}.txt").write_text("\n".join(files) + "\n\n")
        options[name] = (root / f"{name}.txt",)
    return options
