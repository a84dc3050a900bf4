"""Finds images by their names in lists, even if an editor or system changed the spelling."""

import codecs
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from system.names import readable_name
from system.regular_files import open_regular_reader
from trainer.errors import DatasetError

_UTF_16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NameIndex:
    """Finds files by exact name, or else by a name that differs only in spelling.

    Spelling means Unicode normalisation, backslashes, a leading ``./``, spaces around the name and
    the case of the extension.

    Args:
        files: names such as ``COVID/slice.png``.
    """

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._exact = {file: index for index, file in enumerate(files)}
        self._alike: defaultdict[str, list[int]] = defaultdict(list)
        for index, file in enumerate(files):
            self._alike[_spelling(file)].append(index)

    def find(self, name: str) -> int | None:
        """Return the index of a file, or None if there is none of this name.

        Raises:
            DatasetError: several files match.
        """
        exact = self._exact.get(name)
        if exact is not None:
            return exact
        alike = self._alike.get(_spelling(name), [])
        if len(alike) > 1:
            raise DatasetError(
                f"{name} may mean {' or '.join(self._files[index] for index in alike)};"
                " rename one of them"
            )
        return alike[0] if alike else None


def read_text(path: Path) -> str:
    r"""Read a text file in UTF-8, or in UTF-16 with its mark; other bytes become ``\xe9`` escapes.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not text.
    """
    with open_regular_reader(path) as file:
        data = file.read()
    if data.startswith(_UTF_16_MARKS):
        text = data.decode("utf-16")
    else:
        text = data.decode("utf-8-sig", "backslashreplace")
    if "\0" in text:
        raise ValueError("it is not text")
    return text


def _spelling(name: str) -> str:
    name = unicodedata.normalize("NFC", readable_name(name.strip()))
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", "."}]
    stem, dot, extension = "/".join(parts).rpartition(".")
    return f"{stem}{dot}{extension.lower()}"
