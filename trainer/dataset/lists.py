"""Reads lists of images, and which patient each image belongs to."""

import io
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.dataset.images import LabelledImages
from trainer.dataset.name_index import NameIndex, read_text
from trainer.errors import DatasetError

_PATIENT_COLUMNS: Final = ("patient", "patient_id", "group")


def find_listed(data: LabelledImages, lists: Sequence[Path]) -> NDArray[np.intp]:
    """Return the indices of images listed in text files, one per line, such as ``COVID/slice.png``.

    Raises:
        DatasetError: a list cannot be read, or names an image that is not in the dataset.
    """
    index = NameIndex(data.files)
    indices = []
    for path in lists:
        try:
            lines = read_text(path).splitlines()
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path} cannot be read as text") from error
        for name in filter(str.strip, lines):
            found = index.find(name)
            if found is None:
                raise DatasetError(f"{path} lists {name.strip()}, which is not in the dataset")
            indices.append(found)
    return np.array(indices, np.intp)


def write_list(data: LabelledImages, path: Path) -> None:
    """Write the images' files in the format of ``find_listed``.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text("".join(f"{file}\n" for file in data.files), encoding="utf-8")


def read_patients(data: LabelledImages, path: Path) -> NDArray[np.int64]:
    """Return each image's patient number, int64 ``[N]``, from a CSV of ``file`` and ``patient``.

    Raises:
        DatasetError: the file cannot be read, or lacks the patient of an image.
    """
    try:
        table = pd.read_csv(io.StringIO(read_text(path)), dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as CSV") from error
    table.columns = [str(name).strip().lower() for name in table.columns]
    column = next((name for name in _PATIENT_COLUMNS if name in table), None)
    if column is None or "file" not in table:
        raise DatasetError(f"{path} lacks the columns file and patient")
    patients = _patients_by_index(data, zip(table["file"], table[column], strict=True), path)
    missing = [file for index, file in enumerate(data.files) if index not in patients]
    if missing:
        raise DatasetError(
            f"{path} does not name the patient of {missing[0]}"
            + (f" and of {len(missing) - 1} more" if len(missing) > 1 else "")
        )
    _, numbers = np.unique([patients[index] for index in range(len(data))], return_inverse=True)
    return np.asarray(numbers, np.int64)


def _patients_by_index(
    data: LabelledImages, rows: Iterable[tuple[str, str]], path: Path
) -> dict[int, str]:
    index = NameIndex(data.files)
    patients: dict[int, str] = {}
    for file, name in rows:
        # One patient under two spellings would count as two, on both sides of the split.
        patient = unicodedata.normalize("NFC", name.strip())
        found = index.find(file)
        if found is None or not patient:
            continue
        if patients.setdefault(found, patient) != patient:
            raise DatasetError(f"{path} names two patients of {data.files[found]}")
    return patients
