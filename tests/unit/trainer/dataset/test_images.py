"""A folder of images is read into a data frame and arrays."""

import dataclasses
import logging
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from imaging.decode import decode_image
from imaging.preprocess import preprocess
from trainer.dataset.images import COLUMNS, list_dataset, load_images
from trainer.dataset.lists import find_listed, write_list
from trainer.demo.phantoms import draw_phantom
from trainer.errors import DatasetError


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
    frame = list_dataset(dataset_dir)
    assert tuple(frame.columns) == COLUMNS
    assert frame.iloc[0].tolist() == [str(dataset_dir / "COVID" / "00.png"), 0, "COVID"]
    assert frame.iloc[-1].tolist() == [str(dataset_dir / "non-COVID" / "29.png"), 1, "non-COVID"]


def test_images_are_preprocessed_as_by_the_service(dataset_dir: Path):
    frame = list_dataset(dataset_dir)
    data = load_images(frame)
    expected = preprocess(decode_image(Path(frame["File"][7]).read_bytes()).pixels)
    np.testing.assert_array_equal(data.images[7], expected)
    assert data.labels.tolist() == [0] * 30 + [1] * 30


@pytest.mark.parametrize("name", ["COVID", "non-COVID"])
def test_the_error_names_a_missing_class_folder(dataset_dir: Path, name: str):
    (dataset_dir / name).rename(dataset_dir / "elsewhere")
    with pytest.raises(DatasetError, match=f"/{name} is missing"):
        list_dataset(dataset_dir)


def test_the_error_names_an_empty_class_folder(dataset_dir: Path):
    for file in (dataset_dir / "COVID").iterdir():
        file.unlink()
    (dataset_dir / "COVID" / ".DS_Store").touch()
    with pytest.raises(DatasetError, match="/COVID is empty"):
        list_dataset(dataset_dir)


def test_a_file_that_is_not_an_image_is_logged_and_skipped(
    dataset_dir: Path, caplog: pytest.LogCaptureFixture
):
    (dataset_dir / "COVID" / "notes.txt").write_text("not an image")
    with caplog.at_level(logging.WARNING):
        data = load_images(list_dataset(dataset_dir))
    assert len(data) == 60
    assert "notes.txt" in caplog.text


def test_files_that_look_wrong_are_logged_and_kept(
    dataset_dir: Path, caplog: pytest.LogCaptureFixture
):
    phantom = draw_phantom(np.random.default_rng(0), covid=True).pixels
    for name, pixels in {
        "right": phantom,
        "dark": phantom // 16,
        "twelve": phantom.astype(np.uint16) << 4,
    }.items():
        file = dataset_dir / "COVID" / f"{name}.png"
        file.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    frame = list_dataset(dataset_dir)
    with caplog.at_level(logging.WARNING):
        data = load_images(frame[~frame["File"].str.contains("/[0-9]+.png", regex=True)])
    assert len(data) == 3
    messages = [
        record.getMessage()
        for record in caplog.records
        if "may have been read wrongly" in record.message
    ]
    assert [message.split("/COVID/")[1] for message in messages] == [
        "dark.png may have been read wrongly: few grey levels, too dark",
        "twelve.png may have been read wrongly: its 16-bit samples use 12 bits and were scaled",
    ]
    assert "2 of 3 files look as if they were stored or read wrongly" in caplog.text


def test_too_many_files_that_are_not_images_are_rejected(dataset_dir: Path):
    for number in range(4):
        (dataset_dir / "COVID" / f"{number}.txt").write_text("not an image")
    with pytest.raises(DatasetError, match="4 of 64 files cannot be read"):
        load_images(list_dataset(dataset_dir))


def test_up_to_one_file_in_twenty_may_be_unreadable(dataset_dir: Path):
    for number in range(3):
        (dataset_dir / "COVID" / f"{number:02}.png").write_text("not an image")
    assert len(load_images(list_dataset(dataset_dir))) == 57
    (dataset_dir / "COVID" / "03.png").write_text("not an image")
    with pytest.raises(DatasetError, match="4 of 60 files cannot be read"):
        load_images(list_dataset(dataset_dir))


def test_a_file_deleted_after_listing_is_skipped(dataset_dir: Path):
    frame = list_dataset(dataset_dir)
    (dataset_dir / "COVID" / "05.png").unlink()
    data = load_images(frame)
    assert len(data) == 59
    assert "COVID/05.png" not in data.files


def test_a_dataset_without_images_raises_a_dataset_error(tmp_path: Path):
    for name in ("COVID", "non-COVID"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scan.dcm").write_text("not an image")
    with pytest.raises(DatasetError, match=r"2 of 2 files cannot be read.*COVID/scan\.dcm"):
        load_images(list_dataset(tmp_path))


def test_images_keep_their_file_names_and_labels(dataset_dir: Path):
    data = load_images(list_dataset(dataset_dir))
    assert (data.files[0], data.files[-1]) == ("COVID/00.png", "non-COVID/29.png")
    assert data.take(np.array([31, 2])).files == ("non-COVID/01.png", "COVID/02.png")
    assert data.take(np.array([31, 2])).labels.tolist() == [1, 0]


def test_the_fingerprint_depends_on_pixels_and_labels_but_not_on_names(dataset_dir: Path):
    before = load_images(list_dataset(dataset_dir))
    # Under its new name, the file is still the first in sorted order.
    (dataset_dir / "COVID" / "00.png").rename(dataset_dir / "COVID" / "000.png")
    assert load_images(list_dataset(dataset_dir)).fingerprint() == before.fingerprint()
    relabelled = dataclasses.replace(before, labels=before.labels[::-1])
    assert relabelled.fingerprint() != before.fingerprint()
    write(dataset_dir / "COVID" / "000.png", 77)
    assert load_images(list_dataset(dataset_dir)).fingerprint() != before.fingerprint()


def test_equal_images_have_equal_digests(dataset_dir: Path):
    write(dataset_dir / "COVID" / "99.png", 7)
    digests = load_images(list_dataset(dataset_dir)).digests()
    assert digests[7] == digests[30]
    assert len(set(digests)) == 60


def test_images_in_nested_folders_are_read(dataset_dir: Path, caplog: pytest.LogCaptureFixture):
    write(dataset_dir / "COVID" / "patient1" / "series" / "slice.png", 200)
    write(dataset_dir / "COVID" / "__MACOSX" / "slice.png", 201)
    (dataset_dir / "COVID" / "patient1" / "Thumbs.db").touch()
    with caplog.at_level(logging.INFO):
        data = load_images(list_dataset(dataset_dir))
    assert len(data) == 61
    assert data.files[30] == "COVID/patient1/series/slice.png"
    assert "1 of 31 files of" in caplog.text
    assert "2 hidden or system files" in caplog.text


def test_a_fifo_among_the_images_is_not_opened(dataset_dir: Path):
    os.mkfifo(dataset_dir / "COVID" / "pipe.png")
    assert len(load_images(list_dataset(dataset_dir))) == 60


def test_names_that_are_not_utf_8_or_contain_newlines_are_escaped(dataset_dir: Path):
    write(dataset_dir / "COVID" / os.fsdecode(b"caf\xe9.png"), 200)
    write(dataset_dir / "COVID" / "two\nlines.png", 201)
    (dataset_dir / "COVID" / os.fsdecode(b"\xe9.txt")).write_text("not an image")
    data = load_images(list_dataset(dataset_dir))
    assert set(data.files[30:32]) == {r"COVID/caf\xe9.png", r"COVID/two\x0alines.png"}
    write_list(data, dataset_dir / "all.txt")
    assert find_listed(data, [dataset_dir / "all.txt"]).tolist() == list(range(62))
