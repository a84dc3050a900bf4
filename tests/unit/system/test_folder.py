"""All files of a folder are listed once, and entries that are left out are counted."""

import errno
import os
from pathlib import Path

import pytest

from system.folder import LeftOut, list_folder


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_files_at_any_depth_are_listed_and_system_files_are_counted(tmp_path: Path):
    for name in ("a.png", "b/c/d.png", "b/.DS_Store", "__MACOSX/a.png", ".git/x/y", "Thumbs.db"):
        touch(tmp_path / name)
    listing = list_folder(tmp_path)
    assert sorted(listing.names) == ["a.png", "b/c/d.png"]
    assert listing.left_out == {LeftOut.SYSTEM: 4}


def test_links_are_followed_and_each_folder_is_listed_once(tmp_path: Path):
    outside = tmp_path / "outside"
    touch(outside / "far.png")
    root = tmp_path / "root"
    touch(root / "z" / "near.png")
    touch(root / ".store" / "hidden.png")
    (root / "a").symlink_to("z")
    (root / "elsewhere").symlink_to(outside)
    (root / "again").symlink_to(outside)
    (root / "z" / "up").symlink_to(root)
    (root / "annex").symlink_to(root / ".store")
    (root / "file.png").symlink_to(outside / "far.png")
    (root / "gone.png").symlink_to("nowhere")
    (root / "loop.png").symlink_to("loop.png")
    listing = list_folder(root)
    names = sorted(listing.names)
    assert names == ["again/far.png", "annex/hidden.png", "file.png", "z/near.png"]
    assert listing.left_out == {
        LeftOut.LINK_FOLDER: 3,
        LeftOut.LINK_NOWHERE: 1,
        LeftOut.LINK_LOOP: 1,
    }


def test_pipes_and_devices_are_counted_and_never_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "to-pipe.png").symlink_to("pipe.png")
    (tmp_path / "null.png").symlink_to("/dev/null")
    listing = list_folder(tmp_path)
    assert listing.names == []
    assert listing.left_out == {LeftOut.SPECIAL: 3}


def test_an_unreadable_folder_is_reported_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    touch(tmp_path / "closed" / "a.png")
    touch(tmp_path / "open" / "a.png")
    scan = os.scandir

    def scan_unless_closed(path: Path) -> object:
        # Permissions would not stop the root user, as whom tests may run.
        if path.name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_unless_closed)
    listing = list_folder(tmp_path)
    assert (listing.names, listing.unreadable) == (["open/a.png"], {"closed": "Permission denied"})
    with pytest.raises(FileNotFoundError):
        list_folder(tmp_path / "nowhere")


def test_names_that_are_not_utf_8_are_listed_as_stored_in_the_file_system(tmp_path: Path):
    name = os.fsdecode(b"caf\xe9.png")
    touch(tmp_path / name)
    assert list_folder(tmp_path).names == [name]
