"""The folder of the socket: private, locked, and recreated under the same name."""

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


def is_locked(folder: PrivateFolder) -> bool:
    """Whether a cleaner of temporary folders, which needs the exclusive lock, cannot get it."""
    descriptor = os.open(folder.path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_only_the_owner_can_access_the_folder_and_it_is_locked(folder: PrivateFolder):
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert is_locked(folder)


def test_the_path_is_short_enough_for_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = PrivateFolder()
    try:
        assert len(str(folder.path / "model-server.sock")) <= 107
        assert list(long.iterdir()) == []
    finally:
        folder.remove()


def test_a_vanished_folder_is_recreated(folder: PrivateFolder):
    before = open_files(os.getpid())
    for _ in range(3):
        shutil.rmtree(folder.path)
        folder.restore()
        assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
        assert is_locked(folder)
    assert open_files(os.getpid()) == before


def test_restoring_an_existing_folder_keeps_its_content(folder: PrivateFolder):
    (folder.path / "socket").touch()
    folder.restore()
    assert (folder.path / "socket").exists()


def test_a_link_in_the_place_of_the_folder_is_not_used(folder: PrivateFolder):
    shutil.rmtree(folder.path)
    folder.path.symlink_to("/")
    with pytest.raises(PermissionError):
        folder.restore()
    folder.path.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a folder")
def test_a_folder_of_another_user_is_not_used(folder: PrivateFolder):
    os.chown(folder.path, 10001, 10001)
    with pytest.raises(PermissionError):
        folder.restore()


def test_removal_deletes_the_content_and_accepts_a_vanished_folder():
    folder = PrivateFolder()
    (folder.path / "socket").touch()
    folder.remove()
    assert not folder.path.exists()
    folder = PrivateFolder()
    shutil.rmtree(folder.path)
    folder.remove()
