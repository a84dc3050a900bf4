"""How the page shows what the API answers."""

import math
from pathlib import Path
from typing import Final

from fastapi.templating import Jinja2Templates

from api import about
from api.schemas.image import DicomInfo
from api.schemas.prediction import ModelAnswerStatus
from serving.contract import CLASS_NAMES, POSITIVE_CLASS_INDEX
from serving.dicom.description import WindowSource

_MODEL_LABELS: Final = {"vgg16": "VGG16", "resnet50": "ResNet50", "xception": "Xception"}

_STATUS_LABELS: Final = {
    ModelAnswerStatus.OK: "ready",
    ModelAnswerStatus.TIMEOUT: "too late",
    ModelAnswerStatus.NOT_AVAILABLE: "not available",
    ModelAnswerStatus.UNREACHABLE: "unreachable",
    ModelAnswerStatus.INVALID_ANSWER: "invalid answer",
    ModelAnswerStatus.ERROR: "failed",
}

_WINDOW_LABELS: Final = {
    WindowSource.FILE: "the file's window",
    WindowSource.TABLE: "the file's look-up table",
    WindowSource.LUNG: "lung window",
    WindowSource.RANGE: "all grey values",
}


def make_templates() -> Jinja2Templates:
    """The page's templates, with their filters and constants."""
    templates = Jinja2Templates(Path(__file__).parent / "templates")
    templates.env.filters.update(
        model_label=lambda name: _MODEL_LABELS.get(name, name),
        status_label=_STATUS_LABELS.__getitem__,
        percent=percent,
        milliseconds=milliseconds,
        dicom_label=dicom_label,
    )
    templates.env.globals.update(
        title=about.TITLE,
        disclaimer=about.DISCLAIMER,
        model_labels=_MODEL_LABELS,
        positive_class=CLASS_NAMES[POSITIVE_CLASS_INDEX],
    )
    return templates


def dicom_label(dicom: DicomInfo) -> str:
    """What of a DICOM file was looked at, for people, such as ``CT, frame 2 of 3, lung window``."""
    parts = [
        dicom.modality,
        *([dicom.view] if dicom.view else []),
        *([f"frame {dicom.frame} of {dicom.frames}"] if dicom.frames > 1 else []),
        _WINDOW_LABELS[dicom.window.source],
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
