"""Builds the table's row for each file: what the models say, or what is wrong with the file."""

from enum import StrEnum
from typing import Any, Final

from api.fair_sharing.errors import OverloadedError
from api.prediction.errors import PredictionError, RejectedImageError, rejection_reasons
from api.prediction.results import PredictionResult
from covidscan.scoring.source import Fault
from imaging.errors import ImageError
from serving.contract import MODEL_NAMES, POSITIVE_CLASS

Row = dict[str, Any]


class Status(StrEnum):
    """The outcome for a file."""

    OK = "ok"
    REJECTED = "rejected"
    """Not a readable image, or it does not look like a chest scan. A retry would change nothing."""
    FAILED = "failed"
    """Not answered; another run tries it again."""


COLUMNS: Final[dict[str, type]] = {
    "file": str,
    "status": str,
    "problem": str,
    "detail": str,
    "reasons": str,
    "format": str,
    "width": int,
    "height": int,
    "size_bytes": int,
    "sha256": str,
    "modality": str,
    "view": str,
    "frame": int,
    "frames": int,
    "window": str,
    "window_center": float,
    "window_width": float,
    "prediction": str,
    "probability": float,
    "models_spread": float,
    "ood_score": float,
    "low": float,
    "high": float,
    "agreeing": int,
    "degraded": bool,
    "review": bool,
    "review_reasons": str,
    **{
        f"{name}_{column}": kind
        for name in MODEL_NAMES
        for column, kind in (("probability", float), ("version", int), ("status", str))
    },
}
"""Every column and its type. All but the first two may be null. ``reasons`` say why a file is
rejected or was forced, ``probability`` is the ensemble's for COVID, ``low`` and ``high`` its range
over the test-time augmentation variants, if there are any."""


def answered(name: str, answer: PredictionResult) -> Row:
    """Return the row of a file that the models have answered."""
    image, interval = answer.image, answer.uncertainty.interval
    row = _empty(name, Status.OK) | {
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "size_bytes": image.size_bytes,
        "sha256": image.sha256,
        "prediction": answer.prediction,
        "probability": answer.probabilities[POSITIVE_CLASS],
        "models_spread": answer.uncertainty.models_spread,
        "ood_score": answer.input_check.ood_score,
        "reasons": ",".join(answer.input_check.reasons),
        "agreeing": answer.agreement.agreeing,
        "degraded": answer.degraded,
        "review": answer.review,
        "review_reasons": ",".join(answer.review_reasons),
    }
    if interval is not None:
        row |= {"low": interval.low, "high": interval.high}
    if image.dicom is not None:
        row |= {
            "modality": image.dicom.modality,
            "view": image.dicom.view,
            "frame": image.dicom.frame,
            "frames": image.dicom.frames,
            "window": image.dicom.window.source,
            "window_center": image.dicom.window.center,
            "window_width": image.dicom.window.width,
        }
    for model in answer.models:
        row[f"{model.name}_status"] = str(model.status)
        row[f"{model.name}_version"] = model.version
        if model.probabilities is not None:
            row[f"{model.name}_probability"] = model.probabilities[POSITIVE_CLASS]
    return row


def rejected(name: str, error: ImageError | RejectedImageError) -> Row:
    """Return the row of a file that is not a readable image or does not look like a chest scan."""
    return _empty(name, Status.REJECTED) | {
        "problem": error.kind,
        "detail": str(error),
        "reasons": ",".join(rejection_reasons(error)),
    }


def failed(name: str, error: PredictionError | OverloadedError) -> Row:
    """Return the row of a file that another run may answer."""
    return _empty(name, Status.FAILED) | {"problem": error.kind, "detail": str(error)}


def not_read(name: str, fault: Fault) -> Row:
    """Return the row of a file that could not be read from the disk or the archive."""
    status = Status.REJECTED if fault.lasting else Status.FAILED
    return _empty(name, status) | {"problem": fault.problem, "detail": fault.detail}


def _empty(name: str, status: Status) -> Row:
    return dict.fromkeys(COLUMNS) | {"file": name, "status": str(status)}
