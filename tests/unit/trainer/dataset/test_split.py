"""Three parts that share no image, cut as the user asks for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.dataset.images import LabelledImages
from trainer.dataset.split import Split, SplitOptions, split_dataset
from trainer.errors import DatasetError

PER_CLASS = 60


def make_data(per_class: int = PER_CLASS) -> LabelledImages:
    """Files whose names sort otherwise than their numbers: ``COVID/slice (10).png`` before 9."""
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


@pytest.fixture
def groups_file(tmp_path: Path) -> Path:
    """Patients of four slices each."""
    patients = [index // 4 for index in range(len(DATA))]
    return write_patients(tmp_path / "patients.csv", DATA, patients)


def test_the_reference_split_holds_out_a_fifth_and_validates_on_a_tenth_of_the_rest():
    assert [len(part) for part in parts(split())] == [86, 10, 24]
    assert SplitOptions().seed == 42


@pytest.mark.parametrize("kind", ["random", "blocks", "groups"])
def test_the_parts_share_no_image_leave_none_out_and_have_both_classes(
    kind: str, groups_file: Path
):
    whole = split(kind=kind, groups_file=groups_file)
    files = [file for part in parts(whole) for file in part.files]
    assert sorted(files) == sorted(DATA.files)
    assert all(set(part.labels) == {0, 1} for part in parts(whole))
    for part in parts(whole):
        assert [file.startswith("non-") for file in part.files] == part.labels.astype(bool).tolist()


@pytest.mark.parametrize("kind", ["random", "blocks", "groups"])
def test_a_seed_repeats_the_split_and_another_gives_another(kind: str, groups_file: Path):
    options = {"kind": kind, "groups_file": groups_file}
    assert split(seed=1, **options).test.files == split(seed=1, **options).test.files
    assert any(
        split(seed=1, **options).test.files != split(seed=seed, **options).test.files
        for seed in (2, 3)
    )


def test_blocks_are_runs_of_file_numbers():
    whole = split(kind="blocks", seed=5)
    for part, blocks in zip(parts(whole), (7, 1, 2), strict=True):
        for name in ("COVID", "non-COVID"):
            numbers = [
                int(file.partition("(")[2].partition(")")[0])
                for file in part.files
                if file.startswith(f"{name}/")
            ]
            assert len(numbers) == blocks * PER_CLASS // 10
            # A new run begins wherever the number before is in another part.
            assert sum(number - 1 not in numbers for number in numbers) <= blocks


@pytest.mark.parametrize("kind", ["blocks", "groups"])
def test_the_test_parts_of_all_folds_are_the_dataset_each_image_once(kind: str, groups_file: Path):
    folds = [split(kind=kind, groups_file=groups_file, fold=fold) for fold in range(5)]
    tested = [file for whole in folds for file in whole.test.files]
    assert sorted(tested) == sorted(DATA.files)
    for whole in folds:
        files = [file for part in parts(whole) for file in part.files]
        assert sorted(files) == sorted(DATA.files)


@pytest.mark.parametrize("kind", ["blocks", "groups"])
def test_there_are_as_many_folds_as_test_parts(kind: str, groups_file: Path):
    with pytest.raises(DatasetError, match=r"--fold 3: .* there are only folds 0 to 2"):
        split(kind=kind, groups_file=groups_file, test_share=0.3, fold=3)


@pytest.mark.parametrize("kind", ["random", "files"])
def test_a_split_that_has_no_folds_says_so(kind: str):
    with pytest.raises(DatasetError, match=f"a split by blocks or groups, not with {kind}"):
        split(kind=kind, fold=1)


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
    seen = [{patient_of[file] for file in part.files} for part in parts(whole)]
    assert len(set.union(*seen)) == sum(len(each) for each in seen)


def test_the_test_part_knows_its_patients(groups_file: Path):
    whole = split(kind="groups", groups_file=groups_file)
    assert whole.test_groups is not None
    expected = [DATA.files.index(file) // 4 for file in whole.test.files]
    same_patient = whole.test_groups[:, None] == whole.test_groups[None, :]
    np.testing.assert_array_equal(same_patient, np.equal.outer(expected, expected))
    assert split().test_groups is None


@pytest.mark.parametrize("kind", ["random", "blocks"])
def test_it_knows_them_however_it_was_cut(kind: str, groups_file: Path):
    whole = split(kind=kind, groups_file=groups_file)
    assert whole.test_groups is not None
    assert len(set(whole.test_groups)) == len(
        {DATA.files.index(file) // 4 for file in whole.test.files}
    )


@pytest.mark.parametrize("kind", ["random", "blocks", "groups"])
def test_patients_in_several_parts_are_counted(
    kind: str, groups_file: Path, caplog: pytest.LogCaptureFixture
):
    whole = split(kind=kind, groups_file=groups_file)
    seen = [{DATA.files.index(file) // 4 for file in part.files} for part in parts(whole)]
    shared = len((seen[0] & seen[1]) | (seen[0] & seen[2]) | (seen[1] & seen[2]))
    assert (shared == 0) == (kind == "groups") == (not caplog.records)
    assert kind == "groups" or f"{shared} of 30 patients are in several parts" in caplog.text


@pytest.mark.parametrize("column", ["patient", "patient_id", "group"])
def test_the_column_of_patients_may_have_any_of_its_usual_names(column: str, tmp_path: Path):
    patients = [index // 4 for index in range(len(DATA))]
    path = write_patients(tmp_path / "patients.csv", DATA, patients)
    path.write_text(path.read_text().replace("patient", column, 1))
    assert split(kind="groups", groups_file=path).test_groups is not None


def test_too_few_patients_to_split_in_three_are_an_error_of_ours(tmp_path: Path):
    path = write_patients(tmp_path / "patients.csv", DATA, [n % 4 for n in range(len(DATA))])
    with pytest.raises(DatasetError, match="too few patients to split in three"):
        split(kind="groups", groups_file=path)


def write_lists(root: Path, **lists: list[str]) -> dict[str, tuple[Path, ...]]:
    options = {}
    for name, files in lists.items():
        (root / f"{name}.txt").write_text("\n".join(files) + "\n\n")
        options[name] = (root / f"{name}.txt",)
    return options


def test_a_published_split_is_taken_as_it_is(tmp_path: Path):
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


def test_without_a_list_validation_is_drawn_from_training(tmp_path: Path):
    lists = write_lists(
        tmp_path, train_files=list(DATA.files[::2]), test_files=list(DATA.files[1::2])
    )
    whole = split(kind="files", **lists)
    assert {*whole.train.files, *whole.validation.files} == set(DATA.files[::2])
    assert len(whole.validation) == 6
    assert whole.test.files == DATA.files[1::2]


def test_it_is_drawn_by_patients_where_they_are_known(tmp_path: Path, groups_file: Path):
    lists = write_lists(
        tmp_path,
        train_files=list(DATA.files[4:100]),
        test_files=[*DATA.files[:4], *DATA.files[100:]],
    )
    whole = split(kind="files", groups_file=groups_file, **lists)
    patients = [{DATA.files.index(file) // 4 for file in part.files} for part in parts(whole)]
    assert patients[0].isdisjoint(patients[1])


@pytest.mark.parametrize(
    ("train", "test", "complaint"),
    [
        (
            ["COVID/slice (1).png", "COVID/nobody.png"],
            [],
            "COVID/nobody.png, which is not in the dataset",
        ),
        (list(DATA.files[:90]), list(DATA.files[89:]), "is listed twice in the split"),
        ([DATA.files[0], *DATA.files[:90]], list(DATA.files[90:]), "is listed twice in the split"),
        (list(DATA.files[:60]), list(DATA.files[60:]), "would not hold images of both classes"),
    ],
)
def test_lists_that_do_not_fit_are_named(
    tmp_path: Path, train: list[str], test: list[str], complaint: str
):
    with pytest.raises(DatasetError, match=complaint.replace("(", r"\(")):
        split(kind="files", **write_lists(tmp_path, train_files=train, test_files=test))


def test_a_list_that_is_not_there_is_named(tmp_path: Path):
    nowhere = (tmp_path / "nowhere.txt",)
    with pytest.raises(DatasetError, match=r"nowhere\.txt cannot be read"):
        split(kind="files", train_files=nowhere, test_files=nowhere)


def test_a_list_that_is_no_text_is_named(tmp_path: Path):
    binary = tmp_path / "binary.txt"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"binary\.txt cannot be read"):
        split(kind="files", train_files=(binary,), test_files=(binary,))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read as CSV"),
        ("", "cannot be read as CSV"),
        ("name,patient\na,1\n", "lacks the columns file and patient"),
        ("file,patient\nCOVID/slice (1).png,1\n", r"does not name the patient of COVID/slice"),
    ],
)
def test_a_file_of_patients_that_does_not_fit_is_named(
    tmp_path: Path, content: str | None, complaint: str
):
    path = tmp_path / "patients.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DatasetError, match=complaint):
        split(kind="groups", groups_file=path)


@pytest.mark.parametrize(
    ("kind", "per_class", "complaint"),
    [
        ("random", 2, "too few images"),
        ("blocks", 9, "9 images of COVID are too few for 10 blocks"),
        ("groups", 10, "needs --groups"),
        ("files", 10, "needs --train-files and --test-files"),
    ],
)
def test_what_cannot_be_split_is_an_error_of_ours(kind: str, per_class: int, complaint: str):
    with pytest.raises(DatasetError, match=complaint):
        split(make_data(per_class), kind=kind)


@pytest.mark.parametrize("share", [0.1, 0.2, 0.3, 0.4, 0.6])
def test_a_share_of_patients_is_about_that_share_of_images(share: float, groups_file: Path):
    whole = split(kind="groups", groups_file=groups_file, test_share=share)
    assert len(whole.test) / len(DATA) == pytest.approx(share, abs=0.05)


def test_blocks_leave_something_to_train_on():
    with pytest.raises(DatasetError, match="none would be left for training"):
        split(kind="blocks", test_share=0.9)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("COVID/slice (1).png,", "does not name the patient of"),
        ("COVID/slice (1).png,9", "two pat"),
    ],
)
def test_every_image_has_one_patient(groups_file: Path, tmp_path: Path, line: str, complaint: str):
    rows = groups_file.read_text().splitlines()
    if line.endswith(","):
        rows = [row for row in rows if not row.startswith(line)]
    path = tmp_path / "other.csv"
    path.write_text("\n".join([*rows, line]) + "\n")
    with pytest.raises(DatasetError, match=complaint):
        split(kind="groups", groups_file=path)


def test_a_patient_may_be_called_na(tmp_path: Path):
    path = write_patients(tmp_path / "patients.csv", DATA, ["NA", *range(1, len(DATA))])
    assert split(kind="groups", groups_file=path).test_groups is not None
