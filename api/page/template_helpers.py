"""Helpers for the page's templates: how they show the results of the API."""

import math
from pathlib import Path
from typing import Final

from fastapi.templating import Jinja2Templates

from api import about
from api.page.texts import TEXTS, text
from api.schemas.image import DicomInfo
from api.schemas.problem import Problem
from serving.contract import POSITIVE_CLASS

_FOR_SCRIPTS: Final = (
    "form.",
    "queue.",
    "viewer.",
    "explanation.",
    "problem.",
    "model.",
    "report.",
    "training.",
)
"""Key prefixes of the texts that the page's scripts use."""


def make_templates() -> Jinja2Templates:
    """The page's templates, with their filters and constants."""
    templates = Jinja2Templates(Path(__file__).parent / "templates")
    templates.env.filters.update(
        percent=percent, milliseconds=milliseconds, dicom_label=dicom_label, in_words=in_words
    )
    templates.env.globals.update(
        title=about.TITLE,
        disclaimer=about.DISCLAIMER,
        positive_class=POSITIVE_CLASS,
        text=text,
        script_texts={key: words for key, words in TEXTS.items() if key.startswith(_FOR_SCRIPTS)},
    )
    return templates


def in_words(problem: Problem) -> str:
    """What went wrong, for people who do not know the API."""
    kind = problem.type.rpartition(":")[2]
    return TEXTS.get(f"problem.{kind}", TEXTS["problem.other"])


def dicom_label(dicom: DicomInfo) -> str:
    """Describes for people what was shown of a DICOM file: ``CT, frame 2 of 3, lung window``."""
    parts = [
        dicom.modality,
        *([dicom.view] if dicom.view else []),
        *(
            [text("dicom.frame", frame=dicom.frame, frames=dicom.frames)]
            if dicom.frames > 1
            else []
        ),
        text(f"window.{dicom.window.source}"),
    ]
    return ", ".join(parts)


def percent(probability: float) -> str:
    """A probability for people: one decimal, rounded down so that no doubt is rounded away.

    >>> percent(0.9312), percent(0.99996)
    ('93.1 %', '99.9 %')
    """
    return f"{math.floor(1000 * probability) / 10} %"


def milliseconds(seconds: float) -> str:
    """A duration for people.

    >>> milliseconds(0.01314)
    '13.1 ms'
    """
    return f"{1000 * seconds:.1f} ms"
