"""Images in lists and tables are found even if their file names are spelled differently."""

import codecs
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from trainer.dataset.images import LabelledImages
from trainer.dataset.lists import find_listed, read_patients
from trainer.errors import DatasetError

NFC, NFD = (unicodedata.normalize(form, "COVID/Müller 1.png") for form in ("NFC", "NFD"))


def dataset(*files: str) -> LabelledImages:
    count = len(files)
    return LabelledImages(np.zeros((count, 1, 1, 3), np.float32), np.zeros(count, np.int64), files)


@pytest.mark.parametrize(
    ("stored", "listed"),
    [
        (NFC, NFD),
        (NFD, NFC),
        ("COVID/p 1/a.png", "COVID\\p 1\\a.png"),
        ("COVID/a.png", "./COVID/a.png"),
        ("COVID/a.png", "  COVID//a.png \t"),
        ("COVID/a.PNG", "COVID/a.png"),
        (r"COVID/caf\xe9.png", r"COVID/caf\xe9.png"),
    ],
)
def test_an_image_is_found_by_an_equivalent_spelling(tmp_path: Path, stored: str, listed: str):
    data = dataset("COVID/other.png", stored)
    (tmp_path / "list.txt").write_text(f"{listed}\r\n\r\n")
    assert find_listed(data, [tmp_path / "list.txt"]).tolist() == [1]
    (tmp_path / "p.csv").write_text(f"File , Patient\nCOVID/other.png,x\n{listed},y\n")
    assert read_patients(data, tmp_path / "p.csv").tolist() == [0, 1]


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 + NFC.encode(),
        codecs.BOM_UTF16_LE + NFC.encode("utf-16-le"),
        b"COVID/caf\xe9.png\n" + NFC.encode(),
    ],
)
def test_a_list_may_be_in_any_common_encoding(tmp_path: Path, content: bytes):
    data = dataset(r"COVID/caf\xe9.png", NFC)
    (tmp_path / "list.txt").write_bytes(content)
    assert find_listed(data, [tmp_path / "list.txt"]).tolist()[-1] == 1


def test_equivalent_names_are_matched_exactly_or_rejected_as_ambiguous(tmp_path: Path):
    data = dataset(NFC, NFD)
    (tmp_path / "list.txt").write_text(f"{NFD}\n{NFC}\n")
    assert find_listed(data, [tmp_path / "list.txt"]).tolist() == [1, 0]
    (tmp_path / "list.txt").write_text(f"./{NFC}\n")
    with pytest.raises(DatasetError, match="may mean"):
        find_listed(data, [tmp_path / "list.txt"])


def test_names_that_differ_in_case_are_different_files(tmp_path: Path):
    (tmp_path / "list.txt").write_text("COVID/A.png")
    with pytest.raises(DatasetError, match="is not in the dataset"):
        find_listed(dataset("COVID/a.png"), [tmp_path / "list.txt"])


def test_two_spellings_of_one_file_must_have_one_patient(tmp_path: Path):
    data = dataset(NFC)
    (tmp_path / "p.csv").write_text(f"file,patient\n{NFC},x\n{NFD},x\n")
    assert read_patients(data, tmp_path / "p.csv").tolist() == [0]
    (tmp_path / "p.csv").write_text(f"file,patient\n{NFC},x\n{NFD},y\n")
    with pytest.raises(DatasetError, match="two patients of"):
        read_patients(data, tmp_path / "p.csv")


def test_equivalent_spellings_of_a_patient_are_one_patient(tmp_path: Path):
    names = ["Müller", unicodedata.normalize("NFD", "Müller"), "Müller "]
    data = dataset("a", "b", "c")
    rows = zip(data.files, names, strict=True)
    (tmp_path / "p.csv").write_text("file,patient\n" + "".join(f"{f},{n}\n" for f, n in rows))
    assert read_patients(data, tmp_path / "p.csv").tolist() == [0, 0, 0]


def test_the_error_counts_the_images_without_a_patient(tmp_path: Path):
    (tmp_path / "p.csv").write_text("file,patient\nb,1\n")
    with pytest.raises(DatasetError, match="the patient of a and of 1 more"):
        read_patients(dataset("a", "b", "c"), tmp_path / "p.csv")
