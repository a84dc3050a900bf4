"""Every member of a tar archive is a row or is counted; links are rows of their targets."""

import gzip
import tarfile
import zipfile
from pathlib import Path

import pytest

from covidscan.scoring.opening import DamagedArchiveError, open_source
from system.folder import LeftOut
from tests.archives import LIMIT_BYTES, read_all, write_tar, write_zip

HARD, SYMBOLIC = tarfile.LNKTYPE, tarfile.SYMTYPE


@pytest.mark.parametrize("suffix", ["tar", "gz", "bz2", "xz"])
def test_links_are_rows_with_the_content_of_their_targets(tmp_path: Path, suffix: str):
    path = write_tar(
        tmp_path / f"a.{suffix}",
        [
            ("later.png", (SYMBOLIC, "d/b.png")),
            ("d/a.png", b"a"),
            ("hard.png", (HARD, "d/a.png")),
            ("hard2.png", (HARD, "hard.png")),
            ("./e/up.png", (SYMBOLIC, "../hard.png")),
            ("d/b.png", b"b" * 3000),
            ("hard3.png", (HARD, "./e/up.png")),
        ],
    )
    large = b"b" * (LIMIT_BYTES + 1)
    expected = {
        "d/a.png": b"a",
        "d/b.png": large,
        "later.png": large,
        **dict.fromkeys(("hard.png", "hard2.png", "./e/up.png", "hard3.png"), b"a"),
    }
    assert read_all(path) == expected
    remaining = read_all(path, skip={"hard.png", "d/b.png"})
    assert set(expected) - set(remaining) == {"hard.png", "d/b.png"}


def test_members_without_a_row_are_counted_by_reason(tmp_path: Path):
    path = write_tar(
        tmp_path / "a.tar",
        [
            ("d", (tarfile.DIRTYPE, "")),
            ("d/a.png", b"a"),
            ("d/.DS_Store", b"x"),
            (".hidden/a.png", (HARD, "d/a.png")),
            ("folder", (SYMBOLIC, "d")),
            ("out.png", (SYMBOLIC, "../../etc/hostname")),
            ("abs.png", (SYMBOLIC, "/etc/hostname")),
            ("nowhere.png", (HARD, "gone.png")),
            ("self.png", (SYMBOLIC, "self.png")),
            ("pipe", (tarfile.FIFOTYPE, "")),
            ("null", (tarfile.CHRTYPE, "")),
        ],
    )
    source = open_source(path, limit_bytes=LIMIT_BYTES)
    expected = {
        LeftOut.SYSTEM: 2,
        LeftOut.LINK_FOLDER: 1,
        LeftOut.LINK_OUTSIDE: 2,
        LeftOut.LINK_NOWHERE: 1,
        LeftOut.LINK_LOOP: 1,
        LeftOut.SPECIAL: 2,
    }
    for _ in range(2):
        assert read_all(source) == {"d/a.png": b"a"}
        assert source.left_out == expected


def test_members_with_the_same_name_are_two_rows_and_a_hard_link_leads_to_the_earlier_one(
    tmp_path: Path,
):
    members = [("a.png", b"one"), ("h.png", (HARD, "a.png")), ("a.png", b"two")]
    path = write_tar(tmp_path / "a.tar", [*members, ("s.png", (SYMBOLIC, "a.png"))])
    expected = {"a.png": b"one", "a.png#2": b"two", "h.png": b"one", "s.png": b"two"}
    assert read_all(path) == expected


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_names_that_are_not_utf_8_are_escaped(tmp_path: Path, format: int):  # noqa: A002
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    with tarfile.open(tmp_path / "a.tar", "w", format=format) as archive:
        archive.addfile(tarfile.TarInfo(name))
    assert read_all(tmp_path / "a.tar") == {r"caf\xe9.png": b""}


def test_the_holes_of_a_sparse_member_are_filled_with_zeros(tmp_path: Path):
    info = tarfile.TarInfo("sparse")
    info.type = tarfile.GNUTYPE_SPARSE
    info.size = 3
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"%011o\0%011o\0" % (700, 3)
    header[483:495] = b"%011o\0" % 703
    header[148:156] = b"        "
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + b"end".ljust(512, b"\0") + bytes(1024))
    assert read_all(tmp_path / "a.tar") == {"sparse": bytes(700) + b"end"}


def test_a_tar_archive_that_ends_with_a_zip_archive_is_read_as_tar(tmp_path: Path):
    inner = write_zip(tmp_path / "inner.zip", [("x.png", b"x")], method=zipfile.ZIP_STORED)
    members = [("a.png", b"a"), ("inner.zip", inner.read_bytes())]
    assert list(read_all(write_tar(tmp_path / "a.tar", members))) == ["a.png", "inner.zip"]


def read_until_damage(path: Path) -> tuple[list[str], str]:
    names: list[str] = []
    with pytest.raises(DamagedArchiveError) as raised:
        names.extend(
            file.name for file in open_source(path, limit_bytes=LIMIT_BYTES).files(skip=frozenset())
        )
    return names, str(raised.value)


@pytest.mark.parametrize(
    ("end", "names"),
    [(512, []), (512 + 99, []), (1024, ["a.png"]), (1024 + 200, ["a.png"]), (1536, ["a.png"])],
)
def test_a_truncated_archive_is_reported_as_damaged_after_its_complete_members(
    tmp_path: Path, end: int, names: list[str]
):
    path = write_tar(tmp_path / "a.tar", [("a.png", b"a" * 100), ("b.png", b"b" * 600)])
    path.write_bytes(path.read_bytes()[:end])
    found: list[str] = []
    with pytest.raises(DamagedArchiveError):  # noqa: PT012
        for file in open_source(path, limit_bytes=LIMIT_BYTES).files(skip=frozenset()):
            found.append(file.name)  # noqa: PERF401
    assert found == names


def test_a_damaged_header_is_reported_because_the_members_after_it_are_lost(tmp_path: Path):
    path = write_tar(tmp_path / "a.tar", [("a.png", b"a"), ("b.png", b"b")])
    data = bytearray(path.read_bytes())
    data[1024] ^= 1
    path.write_bytes(data)
    assert "a header is damaged" in read_until_damage(path)[1]


def test_a_second_archive_after_the_first_is_reported(tmp_path: Path):
    one = write_tar(tmp_path / "a.tar", [("a.png", b"a")]).read_bytes()
    (tmp_path / "both.tar").write_bytes(one + one)
    assert "another archive follows" in read_until_damage(tmp_path / "both.tar")[1]


def test_a_compressed_archive_can_have_several_streams_and_padding(tmp_path: Path):
    data = write_tar(tmp_path / "a.tar", [("a.png", b"a"), ("b.png", b"b")]).read_bytes()
    packed = gzip.compress(data[:700]) + gzip.compress(data[700:]) + bytes(3000)
    (tmp_path / "a.tgz").write_bytes(packed)
    assert read_all(tmp_path / "a.tgz") == {"a.png": b"a", "b.png": b"b"}
    (tmp_path / "cut.tgz").write_bytes(packed[:80])
    assert "cut off" in read_until_damage(tmp_path / "cut.tgz")[1]
