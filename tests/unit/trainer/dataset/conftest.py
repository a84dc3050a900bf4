from pathlib import Path

import pytest

from tests.unit.trainer.dataset.split_data import DATA, write_patients


@pytest.fixture
def groups_file(tmp_path: Path) -> Path:
    """A table that assigns the images in ``DATA`` to patients, four images each."""
    patients = [index // 4 for index in range(len(DATA))]
    return write_patients(tmp_path / "patients.csv", DATA, patients)
