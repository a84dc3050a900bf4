"""Phantoms depend only on the seed, and brightness does not separate their classes."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from imaging.decode import decode_image
from serving.contract import CLASS_NAMES
from trainer.demo.dataset import write_phantoms
from trainer.demo.drawing import PHANTOM_SIZE
from trainer.demo.phantoms import draw_phantom
from trainer.errors import DatasetError


def read(dataset_dir: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(dataset_dir)): file.read_bytes()
        for file in sorted(dataset_dir.rglob("*.png"))
    }


def test_a_dataset_has_the_layout_of_a_real_one(tmp_path: Path):
    write_phantoms(tmp_path, seed=1, per_class=3)
    assert sorted(child.name for child in tmp_path.iterdir()) == sorted(CLASS_NAMES)
    for data in read(tmp_path).values():
        image = decode_image(data)
        assert (image.format, image.width, image.height) == ("png", PHANTOM_SIZE, PHANTOM_SIZE)
        assert (np.ptp(image.pixels, axis=2) == 0).all(), "grey"


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_phantoms(tmp_path / name, seed=seed, per_class=2)
    assert read(tmp_path / "a") == read(tmp_path / "b") != read(tmp_path / "c")


def test_phantoms_of_an_earlier_run_are_replaced(tmp_path: Path):
    write_phantoms(tmp_path, seed=1, per_class=3)
    write_phantoms(tmp_path, seed=1, per_class=1)
    assert len(read(tmp_path)) == 2


def test_files_that_are_not_phantoms_are_never_removed(tmp_path: Path):
    patient = tmp_path / "COVID" / "patient.png"
    patient.parent.mkdir()
    patient.write_bytes(b"precious")
    with pytest.raises(DatasetError, match="a folder of its own"):
        write_phantoms(tmp_path, seed=1, per_class=1)
    assert patient.read_bytes() == b"precious"


def test_brightness_does_not_separate_the_classes():
    labels = np.repeat([True, False], 100)
    brightness = np.array(
        [
            [
                draw_phantom(
                    np.random.default_rng([number, int(covid)]), covid=bool(covid)
                ).pixels.mean()
            ]
            for number, covid in enumerate(labels)
        ]
    )
    train = np.arange(len(labels)) % 2 == 0
    classifier = LogisticRegression().fit(brightness[train], labels[train])
    assert classifier.score(brightness[~train], labels[~train]) < 0.8
