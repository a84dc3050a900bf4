"""Ray Data skips names that begin with an underscore, so covidscan lists folders itself."""

import os
from collections import Counter
from pathlib import Path

import pytest

from covidscan.scoring.on_ray import _FileElsewhere, _list_elsewhere, _list_here
from covidscan.scoring.source import SourceError
from system.folder import LeftOut


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("_a.png", "_sub/b.png", ".hidden.png", "__MACOSX/a.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 100)
    return tmp_path


def test_a_remote_folder_is_listed_like_a_local_one(folder: Path):
    remote, local = Counter[LeftOut](), Counter[LeftOut]()
    filesystem, files = _list_elsewhere(folder.as_uri(), remote)
    no_filesystem, same = _list_here(str(folder), local)
    assert no_filesystem is None
    assert files["name"].to_pylist() == same["name"].to_pylist() == ["_a.png", "_sub/b.png"]
    assert remote == local == {LeftOut.SYSTEM: 2}
    location = files["location"][1].as_py().decode()
    file = _FileElsewhere("b", filesystem=filesystem, location=location)
    assert file.read(10) == b"x" * 11


def test_local_names_that_are_not_utf_8_are_escaped(folder: Path):
    (folder / os.fsdecode(b"caf\xe9.png")).touch()
    _, files = _list_here(str(folder), Counter())
    assert files["name"].to_pylist()[-1] == r"caf\xe9.png"
    assert files["location"].to_pylist()[-1].endswith(b"/caf\xe9.png")


@pytest.mark.parametrize("uri", ["file:///nowhere", "nosuch://bucket/folder"])
def test_a_folder_that_cannot_be_listed_raises_source_error(uri: str):
    with pytest.raises(SourceError, match="cannot be listed"):
        _list_elsewhere(uri, Counter())
