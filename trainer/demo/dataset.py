"""Writes a dataset of phantoms in the layout of a real one."""

import shutil
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from serving.contract import CLASS_NAMES, POSITIVE_CLASS_INDEX
from trainer.demo.phantoms import draw_phantom
from trainer.errors import DatasetError

DEFAULT_PHANTOMS_PER_CLASS: Final = 300


def write_phantoms(
    dataset_dir: Path, *, seed: int, per_class: int = DEFAULT_PHANTOMS_PER_CLASS
) -> None:
    """Write phantoms as PNG files into ``COVID/`` and ``non-COVID/``.

    The same seed gives the same bytes. Earlier phantoms in the folders are replaced.

    Raises:
        DatasetError: a folder holds files that are not our phantoms, or cannot be written.
    """
    try:
        for class_index, class_name in enumerate(CLASS_NAMES):
            class_dir = dataset_dir / class_name
            _make_empty(class_dir)
            for number in range(per_class):
                # One generator per image, so that pixels do not depend on the number of images.
                rng = np.random.default_rng([seed, class_index, number])
                phantom = draw_phantom(rng, covid=class_index == POSITIVE_CLASS_INDEX)
                (class_dir / f"phantom-{number:04d}.png").write_bytes(
                    cv2.imencode(".png", phantom.pixels)[1].tobytes()
                )
    except OSError as error:
        raise DatasetError(f"cannot write phantoms to {dataset_dir}: {error.strerror}") from error


def _make_empty(class_dir: Path) -> None:
    if class_dir.exists():
        others = [file for file in class_dir.iterdir() if not file.match("phantom-*.png")]
        if others:
            raise DatasetError(f"{others[0]} is not a phantom; give the demo a folder of its own")
        shutil.rmtree(class_dir)
    class_dir.mkdir(parents=True)
