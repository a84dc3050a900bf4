"""Files of several sources are not split by number, because their numbers are unrelated."""

import logging
from collections.abc import Sequence

import numpy as np
import pytest

from trainer.dataset.file_numbers import file_numbers, reject_mixed_schemes
from trainer.dataset.images import LabelledImages
from trainer.dataset.split import split_dataset
from trainer.dataset.split_options import SplitOptions
from trainer.errors import DatasetError

COVID = [f"COVID/Covid ({n}).png" for n in range(1, 41)]
PAPERS = [f"COVID/2020.01.24.919183-p27-{n}.png" for n in range(130, 170)]
PATIENTS = [f"COVID/patient{n // 8}_slice{n % 8}.png" for n in range(40)]
SCANS = [f"COVID/scan-{n}.png" for n in range(101, 141)]


def dataset(covid: Sequence[str]) -> LabelledImages:
    other = [f"non-COVID/Non-Covid ({n}).png" for n in range(1, 41)]
    labels = np.array([0] * len(covid) + [1] * len(other))
    return LabelledImages(np.zeros((len(labels), 64, 64, 3), np.float32), labels, (*covid, *other))


@pytest.mark.parametrize(
    "files",
    [
        COVID + PAPERS + PATIENTS,
        COVID + PATIENTS,
        COVID + PAPERS,
        COVID + [f"COVID/{n}.png" for n in range(1, 41)],
        [f"COVID/patient{letter}_{n}.png" for letter in "AB" for n in range(20)],
        [f"COVID/{source}/{n}.png" for source in ("here", "there") for n in range(20)],
        [*COVID, "COVID/copy of Covid (3).png"],
    ],
    ids=[
        *("three schemes", "two schemes", "paper figures", "bare numbers", "patient letters"),
        *("folders", "one stray file"),
    ],
)
def test_mixed_naming_schemes_are_rejected_with_a_remedy(files: list[str]):
    with pytest.raises(DatasetError, match=r"naming schemes are mixed.*--split groups") as raised:
        split_dataset(dataset(files), SplitOptions(kind="blocks"))
    assert files[0] in str(raised.value)
    split_dataset(dataset(files), SplitOptions(kind="random"))


@pytest.mark.parametrize(
    "files",
    [
        COVID,
        PAPERS,
        PATIENTS,
        [f"COVID/patient{n // 8}/slice{n % 8}.png" for n in range(40)],
        [f"COVID/1.2.840.{n}{'.7' * (n % 2)}/IM{n:04}" for n in range(40)],
        [file.replace(".png", ending) for file in COVID for ending in (".png", ".JPG")],
    ],
    ids=["one number", "many numbers", "two numbers", "folders", "identifiers", "extensions"],
)
def test_files_of_one_naming_scheme_are_split_without_a_warning(
    files: list[str], caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        split_dataset(dataset(files), SplitOptions(kind="blocks"))
    assert not caplog.records


def test_consecutive_sources_are_accepted_with_a_warning(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        reject_mixed_schemes(COVID + SCANS)
    assert "named in 2 ways" in caplog.text


@pytest.mark.parametrize(
    ("file", "numbers"),
    [
        ("COVID/slice (10).png", (10,)),
        ("COVID/patient2/slice10.jp2", (2, 10)),
        ("COVID/1.2.840.7", (1, 2, 840, 7)),
        ("19 classes/a.png", ()),
    ],
)
def test_file_numbers_come_from_the_path_below_the_class(file: str, numbers: tuple[int, ...]):
    assert file_numbers(file) == numbers
