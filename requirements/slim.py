"""Takes out of an image's environment what neither the gateway nor a training ever loads.

Run with the folder ``site-packages``; prints what each step saved. It is part of the layer of the
requirements, so the image never has what is taken out here.
"""

import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

HEADERS_AND_TOOLS: Final = (
    # To compile further operations against, and what keras-tuner's likes parse C with.
    "tensorflow/include",
    "clang/native",
    # TensorBoard's server; only its Python part is imported.
    "tensorboard_data_server/bin",
)

CODECS: Final = frozenset(
    {"imcd", "jpeg2k", "jpeg8", "jpegls", "jpegsof3", "shared", "shared_cython"}
)
"""The extension modules of imagecodecs that DICOM files are decoded with, of some eighty."""


def slim(packages: Path) -> Iterable[tuple[str, int]]:
    """Remove it all; yields each step with the bytes that it saved."""
    steps: tuple[tuple[str, Callable[[Path], None]], ...] = (
        ("headers and tools", _remove_headers_and_tools),
        ("tests", _remove_tests),
        ("codecs", _remove_codecs),
    )
    for name, step in steps:
        before = _size(packages)
        step(packages)
        yield name, before - _size(packages)


def _remove_headers_and_tools(packages: Path) -> None:
    for folder in HEADERS_AND_TOOLS:
        shutil.rmtree(packages / folder, ignore_errors=True)


def _remove_tests(packages: Path) -> None:
    # What is beside the tests stays: numpy.testing imports helpers from there.
    for tests in list(packages.rglob("tests")):
        shutil.rmtree(tests / "data", ignore_errors=True)
        for pattern in ("test_*.py", "__pycache__/test_*.pyc"):
            for file in tests.glob(pattern):
                file.unlink()


def _remove_codecs(packages: Path) -> None:
    for module in (packages / "imagecodecs").glob("_*.so"):
        if module.name.removeprefix("_").partition(".")[0] not in CODECS:
            module.unlink()
    libraries = set((packages / "imagecodecs.libs").glob("*.so*"))
    # A library is needed where its name, which has a hash in it, is in a module or library that is.
    needed: set[Path] = set()
    more = set((packages / "imagecodecs").glob("_*.so"))
    while more:
        content = b"".join(file.read_bytes() for file in more)
        more = {each for each in libraries - needed if each.name.encode() in content}
        needed |= more
    for library in libraries - needed:
        library.unlink()


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*"))


if __name__ == "__main__":
    for step, saved in slim(Path(sys.argv[1])):
        sys.stdout.write(f"{step}: {saved / 1e6:.0f} MB\n")
