"""A split may be given as lists of files."""

from pathlib import Path

import pytest

from tests.unit.trainer.dataset.split_data import DATA, parts, split, write_lists
from trainer.errors import DatasetError


def test_listed_parts_are_used_as_they_are(tmp_path: Path):
    listed = [list(DATA.files[start::5]) for start in (3, 0, 1)]
    names = ("train_files", "validation_files", "test_files")
    whole = split(kind="files", **write_lists(tmp_path, **dict(zip(names, listed, strict=True))))
    assert [list(part.files) for part in parts(whole)] == listed


def test_a_part_may_be_listed_in_several_files(tmp_path: Path):
    listed = {"first": list(DATA.files[:40]), "second": list(DATA.files[80:])}
    lists = write_lists(tmp_path, **listed, test_files=list(DATA.files[40:80]))
    whole = split(
        kind="files",
        train_files=[*lists["first"], *lists["second"]],
        test_files=lists["test_files"],
    )
    assert {*whole.train.files, *whole.validation.files} == {*listed["first"], *listed["second"]}
    assert list(whole.test.files) == list(DATA.files[40:80])


def test_validation_images_are_drawn_from_training_without_a_validation_list(tmp_path: Path):
    lists = write_lists(
        tmp_path, train_files=list(DATA.files[::2]), test_files=list(DATA.files[1::2])
    )
    whole = split(kind="files", **lists)
    assert {*whole.train.files, *whole.validation.files} == set(DATA.files[::2])
    assert len(whole.validation) == 6
    assert whole.test.files == DATA.files[1::2]


def test_validation_images_are_drawn_by_patient_if_patients_are_known(
    tmp_path: Path, groups_file: Path
):
    lists = write_lists(
        tmp_path,
        train_files=list(DATA.files[4:100]),
        test_files=[*DATA.files[:4], *DATA.files[100:]],
    )
    whole = split(kind="files", groups_file=groups_file, **lists)
    patients = [{DATA.files.index(file) // 4 for file in part.files} for part in parts(whole)]
    assert patients[0].isdisjoint(patients[1])


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (
            ["COVID/slice (1).png", "COVID/missing.png"],
            [],
            "COVID/missing.png, which is not in the dataset",
        ),
        (list(DATA.files[:90]), list(DATA.files[89:]), "is listed twice in the split"),
        ([DATA.files[0], *DATA.files[:90]], list(DATA.files[90:]), "is listed twice in the split"),
        (list(DATA.files[:60]), list(DATA.files[60:]), "would not hold images of both classes"),
    ],
)
def test_invalid_lists_are_rejected_with_the_reason(
    tmp_path: Path, train: list[str], test: list[str], message: str
):
    with pytest.raises(DatasetError, match=message.replace("(", r"\(")):
        split(kind="files", **write_lists(tmp_path, train_files=train, test_files=test))


def test_a_missing_list_is_rejected_by_name(tmp_path: Path):
    nowhere = (tmp_path / "nowhere.txt",)
    with pytest.raises(DatasetError, match=r"nowhere\.txt cannot be read"):
        split(kind="files", train_files=nowhere, test_files=nowhere)


def test_a_binary_list_is_rejected_by_name(tmp_path: Path):
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"binary\.txt cannot be read"):
        split(kind="files", train_files=(binary,), test_files=(binary,))
