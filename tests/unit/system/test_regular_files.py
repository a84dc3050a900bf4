"""Only regular files are opened, and opening anything else never blocks."""

import os
from pathlib import Path

import pytest

from system import regular_files
from system.regular_files import (
    FileTooLargeError,
    NotRegularFileError,
    TooManyFilesError,
    check_regular_files,
    open_regular_descriptor,
    open_regular_reader,
    read_config_file,
    read_regular_file,
)
from tests.processes import open_files
from tests.special_files import SPECIAL_FILES

pytestmark = pytest.mark.timeout(20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize("kind", SPECIAL_FILES)
def test_a_special_file_is_rejected_at_once(path: Path, kind: str):
    SPECIAL_FILES[kind](path)
    with pytest.raises(NotRegularFileError):
        read_regular_file(path, max_bytes=1)
    with pytest.raises(NotRegularFileError):
        read_config_file(path)
    with pytest.raises(NotRegularFileError):
        open_regular_reader(path)
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_APPEND | os.O_CREAT):
        with pytest.raises(NotRegularFileError):
            open_regular_descriptor(path, flags)
    if kind != "folder":
        with pytest.raises(NotRegularFileError, match=r"not a regular file: .*file"):
            check_regular_files(path.parent)


def test_a_file_replaced_by_a_fifo_after_the_check_is_rejected(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    os.mkfifo(path)
    regular = Path(__file__).stat()
    monkeypatch.setattr(Path, "stat", lambda _: regular)
    before = open_files(os.getpid())
    with pytest.raises(NotRegularFileError):
        read_regular_file(path, max_bytes=1)
    assert open_files(os.getpid()) == before, "the file is closed again"


def test_a_link_to_a_regular_file_is_accepted(path: Path):
    path.write_bytes(b"content")
    path.with_name("link").symlink_to(path)
    assert read_config_file(path.with_name("link")) == b"content"
    with open_regular_reader(path.with_name("link")) as file:
        assert file.read() == b"content"
    check_regular_files(path.parent)


def test_a_file_larger_than_max_bytes_is_rejected(path: Path):
    path.write_bytes(b"12345")
    assert read_regular_file(path, max_bytes=5) == b"12345"
    with pytest.raises(FileTooLargeError):
        read_regular_file(path, max_bytes=4)
    # Files in /proc report a size of 0.
    with pytest.raises(FileTooLargeError):
        read_regular_file(Path("/proc/self/maps"), max_bytes=10)


def test_a_sparse_file_of_a_terabyte_is_rejected(path: Path):
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FileTooLargeError):
        read_config_file(path)


def test_a_missing_file_is_created_only_with_o_creat(path: Path):
    with pytest.raises(FileNotFoundError):
        open_regular_descriptor(path, os.O_WRONLY)
    os.close(open_regular_descriptor(path, os.O_WRONLY | os.O_CREAT, 0o600))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_of_regular_files_folders_and_links_is_accepted(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "nowhere").symlink_to("nosuch")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    check_regular_files(tmp_path)


def test_a_special_file_in_a_nested_folder_is_rejected(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    os.mkfifo(tmp_path / "a" / "b" / "deep")
    with pytest.raises(NotRegularFileError, match="deep"):
        check_regular_files(tmp_path)


def test_a_folder_with_a_link_loop_or_too_many_files_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "up").symlink_to("..")
    with pytest.raises(TooManyFilesError):
        check_regular_files(tmp_path)
    monkeypatch.setattr(regular_files, "_MAX_FILES", 3)
    for number in range(4):
        (tmp_path / "m" / f"{number}").touch()
    (tmp_path / "m" / "up").unlink()
    with pytest.raises(TooManyFilesError):
        check_regular_files(tmp_path)
