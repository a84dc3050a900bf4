"""Folders are listed here and not by Ray Data, which leaves out what begins with an underscore."""

import os
from collections import Counter
from pathlib import Path

import pytest

from covidscan.scoring.on_ray import _FileElsewhere, _list_elsewhere, _list_here
from covidscan.scoring.source import SourceError
from serving.files.folder import LeftOut


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("_a.png", "_sub/b.png", ".hidden.png", "__MACOSX/a.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 100)
    return tmp_path


def test_a_folder_elsewhere_is_listed_as_one_here(folder: Path):
    elsewhere, here = Counter[LeftOut](), Counter[LeftOut]()
    filesystem, files = _list_elsewhere(folder.as_uri(), elsewhere)
    nowhere, same = _list_here(str(folder), here)
    assert nowhere is None
    assert files["name"].to_pylist() == same["name"].to_pylist() == ["_a.png", "_sub/b.png"]
    assert elsewhere == here == {LeftOut.SYSTEM: 2}
    location = files["location"][1].as_py().decode()
    file = _FileElsewhere("b", filesystem=filesystem, location=location)
    assert file.read(10) == b"x" * 11


def test_names_here_need_not_be_utf_8(folder: Path):
    (folder / os.fsdecode(b"caf\xe9.png")).touch()
    _, files = _list_here(str(folder), Counter())
    assert files["name"].to_pylist()[-1] == r"caf\xe9.png"
    assert files["location"].to_pylist()[-1].endswith(b"/caf\xe9.png")


@pytest.mark.parametrize("uri", ["file:///nowhere", "nosuch://bucket/folder"])
def test_what_cannot_be_listed_is_said_to_be_so(uri: str):
    with pytest.raises(SourceError, match="cannot be listed"):
        _list_elsewhere(uri, Counter())
