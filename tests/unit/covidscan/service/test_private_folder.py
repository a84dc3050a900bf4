"""The folder of the socket: ours alone, held, and made anew under its own name."""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from covidscan.service.private_folder import PrivateFolder
from tests.processes import open_files


@pytest.fixture
def folder() -> Iterator[PrivateFolder]:
    folder = PrivateFolder()
    yield folder
    folder.remove()


def locked(folder: PrivateFolder) -> bool:
    """Whether a cleaner, which asks for the lock alone, is kept out."""
    descriptor = os.open(folder.path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_it_is_closed_to_others_and_held(folder: PrivateFolder):
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert locked(folder)


def test_it_has_a_path_that_is_short_enough_for_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = PrivateFolder()
    try:
        assert len(str(folder.path / "model-server.sock")) <= 107
        assert list(long.iterdir()) == []
    finally:
        folder.remove()


def test_where_it_vanishes_it_is_made_anew(folder: PrivateFolder):
    before = open_files(os.getpid())
    for _ in range(3):
        shutil.rmtree(folder.path)
        folder.restore()
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert locked(folder)
    assert open_files(os.getpid()) == before


def test_where_it_is_there_it_is_left_as_it_is(folder: PrivateFolder):
    (folder.path / "socket").touch()
    folder.restore()
    assert (folder.path / "socket").exists()


def test_what_somebody_else_puts_in_its_place_is_not_used(folder: PrivateFolder):
    shutil.rmtree(folder.path)
    folder.path.symlink_to("/")
    with pytest.raises(PermissionError):
        folder.restore()
    folder.path.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
def test_a_folder_of_somebody_else_is_not_used(folder: PrivateFolder):
    os.chown(folder.path, 10001, 10001)
    with pytest.raises(PermissionError):
        folder.restore()


def test_it_is_removed_with_all_that_is_in_it_even_where_it_is_gone():
    folder = PrivateFolder()
    (folder.path / "socket").touch()
    folder.remove()
    assert not folder.path.exists()
    folder = PrivateFolder()
    shutil.rmtree(folder.path)
    folder.remove()
