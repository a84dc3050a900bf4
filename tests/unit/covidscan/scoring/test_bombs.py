"""Decompression bombs do not exhaust memory: the peak is measured in a child process."""

import bz2
import io
import lzma
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

LIMIT_BYTES = 1 << 20
MAX_PEAK_BYTES = 24 << 20
"""On top of what Python with these modules needs; the bombs have 64 MiB or more."""

BOMB_BYTES = 64 << 20

CHILD = """
import resource, sys
from pathlib import Path
from covidscan.scoring.opening import SourceError, open_source
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    source = open_source(Path(sys.argv[1]), limit_bytes=int(sys.argv[2]))
    for file in source.files(skip=frozenset()):
        print(file.name, len(file.read(int(sys.argv[2]))))
except SourceError as error:
    print("rejected", error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, file=sys.stderr)
"""


def zip_bomb(method: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", method) as archive, archive.open("bomb", "w") as member:
            for _ in range(BOMB_BYTES >> 20):
                member.write(bytes(1 << 20))

    return write


class Zeros(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def tar_bomb(path: Path) -> None:
    with tarfile.open(path, "w:bz2") as archive:
        info = tarfile.TarInfo("bomb")
        info.size = BOMB_BYTES
        archive.addfile(info, Zeros())  # type: ignore[arg-type]


def header_bomb(path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, BOMB_BYTES
    with bz2.open(path, "wb") as file:
        file.write(info.tobuf(tarfile.PAX_FORMAT))
        for _ in range(BOMB_BYTES >> 20):
            file.write(b"1" * (1 << 20))


def dictionary_bomb(path: Path) -> None:
    chain = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29, "preset": 0}]
    with lzma.open(path, "wb", filters=chain) as file:
        file.write(bytes(10240))


def nested_headers(path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4
    with bz2.open(path, "wb") as file:
        for _ in range(5000):
            file.write(info.tobuf() + b"name".ljust(512, b"\0"))


LARGE = f"bomb {LIMIT_BYTES + 1}"


@pytest.mark.parametrize(
    ("write", "output"),
    [
        (zip_bomb(zipfile.ZIP_BZIP2), LARGE),
        (zip_bomb(zipfile.ZIP_LZMA), LARGE),
        (tar_bomb, LARGE),
        (header_bomb, "a header has more than"),
        (dictionary_bomb, "emory usage limit"),
        (nested_headers, "a header has more than"),
    ],
    ids=["zip-bzip2", "zip-lzma", "tar-bzip2", "pax", "xz-dict", "names"],
)
def test_a_decompression_bomb_is_read_up_to_its_limit_in_bounded_memory(
    tmp_path: Path, write: Callable[[Path], None], output: str
):
    path = tmp_path / "bomb"
    write(path)
    assert path.stat().st_size < BOMB_BYTES / 500
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), str(LIMIT_BYTES)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert output in child.stdout
    assert int(child.stderr) * 1024 < MAX_PEAK_BYTES
