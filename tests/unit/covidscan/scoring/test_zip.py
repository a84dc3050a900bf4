"""Every member of a ZIP archive is a row or is counted."""

import struct
import zipfile
from pathlib import Path

import pytest

from covidscan.scoring.opening import SourceError, open_source
from system.folder import LeftOut
from tests.archives import LIMIT_BYTES, read_all, write_zip


def test_members_with_the_same_name_are_separate_rows(tmp_path: Path):
    members = [("a.png", b"one"), ("a.png", b"two"), ("a.png#2", b"three")]
    path = write_zip(tmp_path / "a.zip", members)
    assert read_all(path) == {"a.png": b"one", "a.png#2": b"two", "a.png#2#2": b"three"}
    assert read_all(path, skip={"a.png"}) == {"a.png#2": b"two", "a.png#2#2": b"three"}


def test_links_are_followed_to_members_but_never_out_of_the_archive(tmp_path: Path):
    links = {
        "up/link.png": "../real/a.png",
        "chain.png": "up/link.png",
        "folder": "real",
        "through.png": "folder/a.png",
        "out.png": "../a.png",
        "abs.png": "/etc/hostname",
        "nowhere.png": "gone.png",
        "loop.png": "loop2.png",
        "loop2.png": "loop.png",
    }
    source = open_source(
        write_zip(tmp_path / "a.zip", [("real/a.png", b"a")], links=links), limit_bytes=LIMIT_BYTES
    )
    names = {"real/a.png", "up/link.png", "chain.png", "through.png"}
    assert read_all(source) == dict.fromkeys(names, b"a")
    assert source.left_out == {
        LeftOut.LINK_FOLDER: 1,
        LeftOut.LINK_OUTSIDE: 2,
        LeftOut.LINK_NOWHERE: 1,
        LeftOut.LINK_LOOP: 2,
    }
    assert source.count == 4


def test_system_files_are_counted_and_not_read(tmp_path: Path):
    system = ["__MACOSX/._a.png", ".DS_Store", "b/Thumbs.db", "b/.ipynb_checkpoints/a.png"]
    members = [("b/a.png", b"a"), *((name, b"x") for name in system)]
    source = open_source(write_zip(tmp_path / "a.zip", members), limit_bytes=LIMIT_BYTES)
    assert read_all(source) == {"b/a.png": b"a"}
    assert source.left_out == {LeftOut.SYSTEM: 4}


@pytest.mark.parametrize("flag", [0, 0x800])
def test_a_name_that_is_not_utf_8_is_escaped_whether_or_not_it_is_flagged(
    tmp_path: Path, flag: int
):
    path = write_zip(tmp_path / "a.zip", [("a.png", b"a"), ("cafX.png", b"b")])
    data = bytearray(path.read_bytes().replace(b"cafX.png", b"caf\xe9.png"))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 8 : entry + 10] = struct.pack("<H", flag)
    path.write_bytes(data)
    assert read_all(path) == {"a.png": b"a", r"caf\xe9.png": b"b"}


def test_a_utf_8_name_is_decoded_even_if_not_flagged_as_utf_8(tmp_path: Path):
    path = write_zip(tmp_path / "a.zip", [("cafXY.png", b"b")])
    path.write_bytes(path.read_bytes().replace(b"cafXY.png", "café.png".encode()))
    assert read_all(path) == {"café.png": b"b"}


def test_a_member_without_a_name_is_a_row_called_unnamed(tmp_path: Path):
    path = write_zip(tmp_path / "a.zip", [("a", b"a"), ("b.png", b"b")])
    data = path.read_bytes()
    # The name is removed from the directory only, whose size is then one byte less.
    entry = data.index(b"PK\x01\x02")
    name = entry + 46
    assert data[name : name + 1] == b"a"
    without = data[: entry + 28] + b"\0\0" + data[entry + 30 : name] + data[name + 1 :]
    end = without.rindex(b"PK\x05\x06")
    size = int.from_bytes(without[end + 12 : end + 16], "little") - 1
    path.write_bytes(without[: end + 12] + size.to_bytes(4, "little") + without[end + 16 :])
    assert read_all(path) == {"unnamed": "damaged-file", "b.png": b"b"}


def test_absolute_and_parent_paths_are_only_names(tmp_path: Path):
    names = ["/abs/a.png", "../../up.png", "win\\a.png", "C:\\a.png"]
    path = write_zip(tmp_path / "a.zip", [(name, name.encode()) for name in names])
    assert read_all(path) == {name: name.encode() for name in names}


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_every_compression_method_is_read_up_to_the_limit(tmp_path: Path, method: int):
    contents = {"empty": b"", "small": b"small" * 20, "full": bytes(LIMIT_BYTES)}
    large = {"large": bytes(range(256)) * 40}
    path = write_zip(tmp_path / "a.zip", (contents | large).items(), method=method)
    assert read_all(path) == contents | {"large": large["large"][: LIMIT_BYTES + 1]}


def test_streamed_members_with_their_sizes_after_the_data_are_read(tmp_path: Path):
    with (tmp_path / "a.zip").open("wb") as file:

        class Unseekable:
            def write(self, data: bytes) -> int:
                return file.write(data)

            def flush(self) -> None:
                file.flush()

        with zipfile.ZipFile(Unseekable(), "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[arg-type]
            with archive.open("a.png", "w", force_zip64=True) as member:
                member.write(b"a" * 100)
            archive.writestr("b.png", b"b")
    assert read_all(tmp_path / "a.zip") == {"a.png": b"a" * 100, "b.png": b"b"}


def test_a_self_extracting_archive_is_read(tmp_path: Path):
    path = write_zip(tmp_path / "a.zip", [("a.png", b"a")])
    path.write_bytes(b"MZ" + bytes(2000) + path.read_bytes())
    assert read_all(path) == {"a.png": b"a"}


def patched(path: Path, offset: int, value: bytes, *, local: bool) -> Path:
    """Overwrite bytes of the first member's header: the local one, or the one in the directory."""
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x03\x04" if local else b"PK\x01\x02") + offset
    data[start : start + len(value)] = value
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("offset", "value", "local", "problem"),
    [
        (8, b"\x01", False, "encrypted-file"),
        (10, struct.pack("<H", 99), False, "encrypted-file"),
        (10, struct.pack("<H", 9), False, "unsupported-compression"),
        (10, struct.pack("<H", 1234), False, "unsupported-compression"),
        (10, struct.pack("<H", 14), False, "damaged-file"),
        (16, b"\0\0\0\0", False, "damaged-file"),
        (24, b"\x01", False, "damaged-file"),
        (24, b"\xff\0", False, "damaged-file"),
        (20, b"\xff\0", False, "damaged-file"),
        (42, b"\x01", False, "damaged-file"),
        (30, b"z", True, "damaged-file"),
        (36, b"\xff\xff\xff", True, "damaged-file"),
    ],
    ids=str,
)
def test_a_member_that_cannot_be_unpacked_has_a_problem_and_the_others_are_read(
    tmp_path: Path, offset: int, value: bytes, local: bool, problem: str
):
    path = write_zip(tmp_path / "a.zip", [("a.png", b"abcdefgh" * 9), ("b.png", b"b")])
    assert read_all(patched(path, offset, value, local=local)) == {"a.png": problem, "b.png": b"b"}


def test_a_truncated_archive_raises_source_error(tmp_path: Path):
    path = write_zip(tmp_path / "a.zip", [("a.png", bytes(100)), ("b.png", bytes(100))])
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(SourceError, match="damaged or cut off"):
        open_source(path, limit_bytes=LIMIT_BYTES)
