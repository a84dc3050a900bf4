"""All texts of the page, in one file for each language: ``en.json``."""

import json
from pathlib import Path
from typing import Final

TEXTS: Final[dict[str, str]] = json.loads((Path(__file__).parent / "en.json").read_text("utf-8"))


def text(key: str, **values: object) -> str:
    """One of the texts, with its placeholders filled in.

    >>> text("dicom.frame", frame=2, frames=3)
    'frame 2 of 3'

    Raises:
        KeyError: there is no such text, or a placeholder has no value.
    """
    return TEXTS[key].format(**values)
