"""What is known of the images beyond their folders: lists of them, and their patients."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.dataset.images import LabelledImages
from trainer.errors import DatasetError

_PATIENT_COLUMNS: Final = ("patient", "patient_id", "group")


def find_listed(data: LabelledImages, lists: Sequence[Path]) -> NDArray[np.intp]:
    """The indices of the images that text files list, one a line, as in ``COVID/slice.png``.

    Raises:
        DatasetError: a list cannot be read, or names an image that the dataset does not hold.
    """
    index_of = {file: index for index, file in enumerate(data.files)}
    indices = []
    for path in lists:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DatasetError(f"{path} cannot be read") from error
        for name in filter(None, map(str.strip, lines)):
            if name not in index_of:
                raise DatasetError(f"{path} lists {name}, which the dataset does not hold")
            indices.append(index_of[name])
    return np.array(indices, np.intp)


def write_list(data: LabelledImages, path: Path) -> None:
    """Write the images' files as ``find_listed`` reads them.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text("".join(f"{file}\n" for file in data.files), encoding="utf-8")


def read_patients(data: LabelledImages, path: Path) -> NDArray[np.int64]:
    """Of each image its patient's number, int64 ``[N]``, from a CSV of ``file`` and ``patient``.

    Raises:
        DatasetError: the file cannot be read, or does not name an image's patient.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as CSV") from error
    column = next((name for name in _PATIENT_COLUMNS if name in table), None)
    if column is None or "file" not in table:
        raise DatasetError(f"{path} lacks the columns file and patient")
    rows = table[["file", column]].drop_duplicates()
    twice = rows["file"][rows["file"].duplicated()]
    if not twice.empty:
        raise DatasetError(f"{path} names two patients of {twice.iloc[0]}")
    patient_of = {file: patient for file, patient in rows.itertuples(index=False) if patient}
    missing = [file for file in data.files if file not in patient_of]
    if missing:
        raise DatasetError(f"{path} does not name the patient of {missing[0]}")
    _, numbers = np.unique([patient_of[file] for file in data.files], return_inverse=True)
    return np.asarray(numbers, np.int64)
