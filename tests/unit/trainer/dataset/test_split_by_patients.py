"""A split by patients keeps all images of a patient in one part."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.trainer.dataset.split_data import DATA, parts, split, write_patients
from trainer.errors import DatasetError


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=len(DATA), max_size=len(DATA)), st.integers(0, 99))
def test_no_patient_is_in_two_parts(
    tmp_path_factory: pytest.TempPathFactory, patients: list[int], seed: int
):
    path = write_patients(tmp_path_factory.mktemp("groups") / "patients.csv", DATA, patients)
    patient_of = dict(zip(DATA.files, patients, strict=True))
    try:
        whole = split(kind="groups", groups_file=path, seed=seed)
    except DatasetError as error:
        assert "patients" in str(error) or "both" in str(error)  # noqa: PT017
        return
    patients_of_parts = [{patient_of[file] for file in part.files} for part in parts(whole)]
    assert len(set.union(*patients_of_parts)) == sum(len(each) for each in patients_of_parts)


def test_the_test_groups_are_the_patients_of_the_test_images(groups_file: Path):
    whole = split(kind="groups", groups_file=groups_file)
    assert whole.test_groups is not None
    expected = [DATA.files.index(file) // 4 for file in whole.test.files]
    same_patient = whole.test_groups[:, None] == whole.test_groups[None, :]
    np.testing.assert_array_equal(same_patient, np.equal.outer(expected, expected))
    assert split().test_groups is None


@pytest.mark.parametrize("kind", ["random", "blocks"])
def test_the_test_groups_are_known_for_random_and_block_splits_too(kind: str, groups_file: Path):
    whole = split(kind=kind, groups_file=groups_file)
    assert whole.test_groups is not None
    assert len(set(whole.test_groups)) == len(
        {DATA.files.index(file) // 4 for file in whole.test.files}
    )


@pytest.mark.parametrize("kind", ["random", "blocks", "groups"])
def test_patients_in_several_parts_are_counted_in_a_warning(
    kind: str, groups_file: Path, caplog: pytest.LogCaptureFixture
):
    whole = split(kind=kind, groups_file=groups_file)
    train, validation, test = (
        {DATA.files.index(file) // 4 for file in part.files} for part in parts(whole)
    )
    shared = len((train & validation) | (train & test) | (validation & test))
    assert (shared == 0) == (kind == "groups") == (not caplog.records)
    assert kind == "groups" or f"{shared} of 30 patients are in several sets" in caplog.text


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.4, 0.6])
def test_the_share_of_test_images_is_close_to_the_requested_share(share: float, groups_file: Path):
    whole = split(kind="groups", groups_file=groups_file, test_share=share)
    assert len(whole.test) / len(DATA) == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("column", ["patient", "patient_id", "group"])
def test_the_patient_column_may_have_any_usual_name(column: str, tmp_path: Path):
    patients = [index // 4 for index in range(len(DATA))]
    path = write_patients(tmp_path / "patients.csv", DATA, patients)
    path.write_text(path.read_text().replace("patient", column, 1))
    assert split(kind="groups", groups_file=path).test_groups is not None


def test_na_is_a_valid_name_of_a_patient(tmp_path: Path):
    path = write_patients(tmp_path / "patients.csv", DATA, ["NA", *range(1, len(DATA))])
    assert split(kind="groups", groups_file=path).test_groups is not None


def test_too_few_patients_for_three_parts_are_rejected(tmp_path: Path):
    path = write_patients(tmp_path / "patients.csv", DATA, [n % 4 for n in range(len(DATA))])
    with pytest.raises(DatasetError, match="too few patients to split in three"):
        split(kind="groups", groups_file=path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read as CSV"),
        ("", "cannot be read as CSV"),
        ("name,patient\na,1\n", "lacks the columns file and patient"),
        ("file,patient\nCOVID/slice (1).png,1\n", r"does not name the patient of COVID/slice"),
    ],
)
def test_an_invalid_patients_file_is_rejected_with_the_reason(
    tmp_path: Path, content: str | None, message: str
):
    path = tmp_path / "patients.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DatasetError, match=message):
        split(kind="groups", groups_file=path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("COVID/slice (1).png,", "does not name the patient of"),
        ("COVID/slice (1).png,9", "two pat"),
    ],
)
def test_an_image_without_a_patient_or_with_two_is_rejected(
    groups_file: Path, tmp_path: Path, line: str, message: str
):
    rows = groups_file.read_text().splitlines()
    if line.endswith(","):
        rows = [row for row in rows if not row.startswith(line)]
    path = tmp_path / "other.csv"
    path.write_text("\n".join([*rows, line]) + "\n")
    with pytest.raises(DatasetError, match=message):
        split(kind="groups", groups_file=path)
