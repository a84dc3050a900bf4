"""Folders and archives yield the same files in the same order, each read up to its limit."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from covidscan.scoring.opening import SourceError, open_source

FILES = {"a.png": b"one", "sub/b.dcm": b"two", "sub/deeper/c": b"x" * 50, "z.txt": b""}
LIMIT_BYTES = 20


def folder(path: Path) -> Path:
    for name, content in FILES.items():
        file = path / "folder" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (path / "folder" / ".hidden").write_bytes(b"x")
    return path / "folder"


def zipped(path: Path) -> Path:
    with zipfile.ZipFile(path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("sub")
        for name, content in FILES.items():
            archive.writestr(name, content)
    return path / "a.zip"


def tarred(path: Path) -> Path:
    with tarfile.open(path / "a.tar.gz", "w:gz") as archive:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path / "a.tar.gz"


@pytest.mark.parametrize("make", [folder, zipped, tarred])
def test_every_file_is_listed_in_order_and_read_up_to_its_limit(
    make: Callable[[Path], Path], tmp_path: Path
):
    source = open_source(make(tmp_path), limit_bytes=LIMIT_BYTES)
    found = {file.name: file.read(LIMIT_BYTES) for file in source.files(skip=frozenset())}
    assert found == {name: content[: LIMIT_BYTES + 1] for name, content in FILES.items()}
    assert list(found) == sorted(FILES)
    assert source.count in {len(FILES), None}


@pytest.mark.parametrize("make", [folder, zipped, tarred])
def test_files_to_skip_are_left_out(make: Callable[[Path], Path], tmp_path: Path):
    source = open_source(make(tmp_path), limit_bytes=LIMIT_BYTES)
    remaining = [file.name for file in source.files(skip=frozenset({"a.png", "z.txt"}))]
    assert remaining == ["sub/b.dcm", "sub/deeper/c"]


def test_a_member_that_cannot_be_unpacked_is_empty_and_the_others_are_read(tmp_path: Path):
    path = zipped(tmp_path)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("sub/deeper/c").header_offset
    data[start + 30 + len("sub/deeper/c") : start + 36 + len("sub/deeper/c")] = b"\xff" * 6
    path.write_bytes(data)
    source = open_source(path, limit_bytes=LIMIT_BYTES)
    found = {file.name: file.read(LIMIT_BYTES) for file in source.files(skip=frozenset())}
    assert found["sub/deeper/c"] == b""
    assert found["sub/b.dcm"] == b"two"


def test_a_zip_bomb_is_read_only_up_to_the_limit(tmp_path: Path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(100_000_000))
    (file,) = open_source(path, limit_bytes=LIMIT_BYTES).files(skip=frozenset())
    assert len(file.read(LIMIT_BYTES)) == LIMIT_BYTES + 1


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_file_that_is_not_an_archive_raises_source_error(tmp_path: Path, content: bytes):
    (tmp_path / "a.rar").write_bytes(content)
    with pytest.raises(SourceError, match="neither a folder nor"):
        open_source(tmp_path / "a.rar", limit_bytes=LIMIT_BYTES)
    with pytest.raises(SourceError):
        open_source(tmp_path / "missing", limit_bytes=LIMIT_BYTES)


def test_a_truncated_tar_archive_is_reported_as_damaged(tmp_path: Path):
    path = tarred(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    source = open_source(path, limit_bytes=LIMIT_BYTES)
    with pytest.raises(SourceError, match="damaged"):
        list(source.files(skip=frozenset()))
