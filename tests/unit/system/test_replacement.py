"""A file is replaced completely or not at all."""

import os
import stat
from pathlib import Path

import pytest

from system.replacement import replacing


def test_a_new_file_has_the_requested_mode(tmp_path: Path):
    path = tmp_path / "keys"
    with replacing(path, mode=0o600) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_replaced_file_keeps_its_mode(tmp_path: Path):
    path = tmp_path / "keys"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with replacing(path, mode=0o600) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_follows_the_umask_without_a_requested_mode(tmp_path: Path):
    before = os.umask(0o077)
    try:
        with replacing(tmp_path / "table") as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "table").stat().st_mode) == 0o600


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path):
    path = tmp_path / "table"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"half")
        file.flush()
        assert path.read_bytes() == b"old"


def test_a_failure_leaves_the_old_file_and_no_temporary_file(tmp_path: Path):
    path = tmp_path / "table"
    path.write_bytes(b"old")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
