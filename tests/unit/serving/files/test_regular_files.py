"""Only regular files are opened, and nothing waits for what is something else."""

import os
from pathlib import Path

import pytest

from serving.files import regular_files
from serving.files.regular_files import (
    FileTooLargeError,
    NotRegularFileError,
    TooManyFilesError,
    check_regular_files,
    open_regular_file,
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
def test_what_is_no_regular_file_is_rejected_at_once(path: Path, kind: str):
    SPECIAL_FILES[kind](path)
    with pytest.raises(NotRegularFileError):
        read_regular_file(path, max_bytes=1)
    with pytest.raises(NotRegularFileError):
        read_config_file(path)
    for flags in (os.O_RDONLY, os.O_WRONLY | os.O_APPEND | os.O_CREAT):
        with pytest.raises(NotRegularFileError):
            open_regular_file(path, flags)
    if kind != "folder":
        with pytest.raises(NotRegularFileError, match=r"not a regular file: .*file"):
            check_regular_files(path.parent)


def test_a_file_that_changes_its_kind_meanwhile_is_rejected_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    os.mkfifo(path)
    regular = Path(__file__).stat()
    monkeypatch.setattr(Path, "stat", lambda _: regular)
    before = open_files(os.getpid())
    with pytest.raises(NotRegularFileError):
        read_regular_file(path, max_bytes=1)
    assert open_files(os.getpid()) == before, "it is closed again"


def test_a_link_to_a_regular_file_is_one(path: Path):
    path.write_bytes(b"content")
    path.with_name("link").symlink_to(path)
    assert read_config_file(path.with_name("link")) == b"content"
    check_regular_files(path.parent)


def test_no_more_is_read_than_the_purpose_needs(path: Path):
    path.write_bytes(b"12345")
    assert read_regular_file(path, max_bytes=5) == b"12345"
    with pytest.raises(FileTooLargeError):
        read_regular_file(path, max_bytes=4)
    # Of the kernel's files, which say that they have no bytes.
    with pytest.raises(FileTooLargeError):
        read_regular_file(Path("/proc/self/maps"), max_bytes=10)


def test_a_sparse_file_of_a_terabyte_is_not_read(path: Path):
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FileTooLargeError):
        read_config_file(path)


def test_a_file_that_is_not_there_is_made_only_where_that_is_asked_for(path: Path):
    with pytest.raises(FileNotFoundError):
        open_regular_file(path, os.O_WRONLY)
    os.close(open_regular_file(path, os.O_WRONLY | os.O_CREAT, 0o600))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_of_files_and_folders_is_sound(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / "nowhere").symlink_to("nosuch")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    check_regular_files(tmp_path)


def test_a_special_file_deep_below_is_found(tmp_path: Path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    os.mkfifo(tmp_path / "a" / "b" / "deep")
    with pytest.raises(NotRegularFileError, match="deep"):
        check_regular_files(tmp_path)


def test_a_folder_without_end_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
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
