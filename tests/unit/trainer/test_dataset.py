"""A folder of images becomes a frame, arrays and three disjoint parts."""

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from serving.preprocess import decode_image, preprocess
from trainer.dataset import COLUMNS, LabelledImages, load_images, read_frame
from trainer.errors import DatasetError
from trainer.split import random_split


def write(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.full((32, 32), value, np.uint8))[1].tobytes())


@pytest.fixture
def dataset_dir(tmp_path: Path) -> Path:
    for number in range(30):
        write(tmp_path / "COVID" / f"{number:02}.png", number)
        write(tmp_path / "non-COVID" / f"{number:02}.png", 100 + number)
    return tmp_path


def test_the_frame_has_file_disease_id_and_disease_type(dataset_dir: Path):
    frame = read_frame(dataset_dir)
    assert tuple(frame.columns) == COLUMNS
    assert frame.iloc[0].tolist() == [str(dataset_dir / "COVID" / "00.png"), 0, "COVID"]
    assert frame.iloc[-1].tolist() == [str(dataset_dir / "non-COVID" / "29.png"), 1, "non-COVID"]


def test_images_are_what_the_service_would_make_of_them(dataset_dir: Path):
    frame = read_frame(dataset_dir)
    data = load_images(frame)
    expected = preprocess(decode_image(Path(frame["File"][7]).read_bytes()).pixels)
    np.testing.assert_array_equal(data.images[7], expected)
    assert data.labels.tolist() == [0] * 30 + [1] * 30


@pytest.mark.parametrize("name", ["COVID", "non-COVID"])
def test_a_missing_class_folder_is_named(dataset_dir: Path, name: str):
    (dataset_dir / name).rename(dataset_dir / "elsewhere")
    with pytest.raises(DatasetError, match=f"/{name} is missing"):
        read_frame(dataset_dir)


def test_an_empty_class_folder_is_named(dataset_dir: Path):
    for file in (dataset_dir / "COVID").iterdir():
        file.unlink()
    (dataset_dir / "COVID" / ".DS_Store").touch()
    with pytest.raises(DatasetError, match="/COVID is empty"):
        read_frame(dataset_dir)


def test_a_file_that_is_no_image_is_named_and_left_out(
    dataset_dir: Path, caplog: pytest.LogCaptureFixture
):
    (dataset_dir / "COVID" / "notes.txt").write_text("not an image")
    with caplog.at_level(logging.WARNING):
        data = load_images(read_frame(dataset_dir))
    assert len(data) == 60
    assert "notes.txt" in caplog.text


def test_too_many_files_that_are_no_images_stop_the_training(dataset_dir: Path):
    for number in range(4):
        (dataset_dir / "COVID" / f"{number}.txt").write_text("not an image")
    with pytest.raises(DatasetError, match="4 of 64 files cannot be read"):
        load_images(read_frame(dataset_dir))


def test_the_parts_of_a_split_share_no_image_and_all_have_both_classes():
    count = 200
    images = np.arange(count, dtype=np.float32)[:, None, None, None] * np.ones((1, 64, 64, 3), "f4")
    data = LabelledImages(images, np.arange(count) % 2)
    split = random_split(data, seed=1)
    parts = [set(part.images[:, 0, 0, 0]) for part in (split.train, split.validation, split.test)]
    assert [len(part) for part in parts] == [144, 16, 40]
    assert len(set.union(*parts)) == count
    assert all(set(p.labels) == {0, 1} for p in (split.train, split.validation, split.test))
    again, other = random_split(data, seed=1), random_split(data, seed=2)
    np.testing.assert_array_equal(split.test.images, again.test.images)
    assert not np.array_equal(split.test.images, other.test.images)


def test_too_few_images_to_split_are_an_error_of_ours():
    data = LabelledImages(np.zeros((3, 64, 64, 3), np.float32), np.array([0, 0, 1]))
    with pytest.raises(DatasetError, match="too few images"):
        random_split(data)
