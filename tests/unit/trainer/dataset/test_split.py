"""A dataset is split at random or by blocks into three parts that share no image."""

from pathlib import Path

import pytest

from tests.unit.trainer.dataset.split_data import DATA, PER_CLASS, make_data, parts, split
from trainer.dataset.split_options import SplitOptions
from trainer.errors import DatasetError


def test_the_reference_split_holds_out_a_fifth_and_validates_on_a_tenth_of_the_rest():
    assert [len(part) for part in parts(split())] == [86, 10, 24]
    assert SplitOptions().seed == 42


@pytest.mark.parametrize("kind", ["random", "blocks", "groups"])
def test_the_parts_are_disjoint_and_complete_and_contain_both_classes(kind: str, groups_file: Path):
    whole = split(kind=kind, groups_file=groups_file)
    files = [file for part in parts(whole) for file in part.files]
    assert sorted(files) == sorted(DATA.files)
    assert all(set(part.labels) == {0, 1} for part in parts(whole))
    for part in parts(whole):
        assert [file.startswith("non-") for file in part.files] == part.labels.astype(bool).tolist()


@pytest.mark.parametrize("kind", ["random", "blocks", "groups"])
def test_the_seed_determines_the_split(kind: str, groups_file: Path):
    options = {"kind": kind, "groups_file": groups_file}
    assert split(seed=1, **options).test.files == split(seed=1, **options).test.files
    assert any(
        split(seed=1, **options).test.files != split(seed=seed, **options).test.files
        for seed in (2, 3)
    )


def test_blocks_are_runs_of_consecutive_file_numbers():
    whole = split(kind="blocks", seed=5)
    for part, blocks in zip(parts(whole), (7, 1, 2), strict=True):
        for name in ("COVID", "non-COVID"):
            numbers = [
                int(file.partition("(")[2].partition(")")[0])
                for file in part.files
                if file.startswith(f"{name}/")
            ]
            assert len(numbers) == blocks * PER_CLASS // 10
            # A run begins where the preceding number is in another part.
            assert sum(number - 1 not in numbers for number in numbers) <= blocks


@pytest.mark.parametrize("kind", ["blocks", "groups"])
def test_the_test_parts_of_all_folds_contain_each_image_once(kind: str, groups_file: Path):
    folds = [split(kind=kind, groups_file=groups_file, fold=fold) for fold in range(5)]
    tested = [file for whole in folds for file in whole.test.files]
    assert sorted(tested) == sorted(DATA.files)
    for whole in folds:
        files = [file for part in parts(whole) for file in part.files]
        assert sorted(files) == sorted(DATA.files)


@pytest.mark.parametrize("kind", ["blocks", "groups"])
def test_a_fold_beyond_the_last_test_part_is_rejected(kind: str, groups_file: Path):
    with pytest.raises(DatasetError, match=r"--fold 3: .* there are only folds 0 to 2"):
        split(kind=kind, groups_file=groups_file, test_share=0.3, fold=3)


@pytest.mark.parametrize("kind", ["random", "files"])
def test_a_fold_of_a_split_without_folds_is_rejected(kind: str):
    with pytest.raises(DatasetError, match=f"a split by blocks or groups, not with {kind}"):
        split(kind=kind, fold=1)


@pytest.mark.parametrize(
    ("kind", "per_class", "message"),
    [
        ("random", 2, "too few images"),
        ("blocks", 9, "9 images of COVID are too few for 10 blocks"),
        ("groups", 10, "needs --groups"),
        ("files", 10, "needs --train-files and --test-files"),
    ],
)
def test_a_dataset_that_cannot_be_split_raises_a_dataset_error(
    kind: str, per_class: int, message: str
):
    with pytest.raises(DatasetError, match=message):
        split(make_data(per_class), kind=kind)


def test_a_split_by_blocks_that_leaves_no_training_images_is_rejected():
    with pytest.raises(DatasetError, match="none would be left for training"):
        split(kind="blocks", test_share=0.9)
