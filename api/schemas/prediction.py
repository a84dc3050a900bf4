"""The response of ``POST /predict``."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.prediction.results import ModelStatus
from api.rejection_reason import RejectionReason
from api.review_reason import ReviewReason
from api.schemas.common import Probabilities, Probability, Schema, Seconds
from api.schemas.image import ImageInfo
from serving.contract import ClassName


class Agreement(Schema):
    """How many models agree with the ensemble's prediction."""

    agreeing: int
    answered: int
    asked: int


class Interval(Schema):
    """The range of the ensemble's probability of COVID over augmented variants of the image."""

    low: Probability
    high: Probability
    variants: int
    """The number of variants, without the image itself."""


class Uncertainty(Schema):
    """How certain the ensemble's probability of COVID is."""

    models_spread: Probability
    """The models' highest probability of COVID minus the lowest."""
    interval: Interval | None
    """The lowest and highest probability when the image is slightly rotated, shifted, scaled, and
    made brighter or darker (``?tta=``). Null if that was not requested, or if no variant was
    answered by the same models as the image."""


class InputCheck(Schema):
    """Whether the image looks like a chest scan."""

    reasons: list[RejectionReason]
    """The reasons to reject it without ``?force=true``; empty if there are none."""
    ood_score: Annotated[float, Field(ge=0)] | None
    """The out-of-distribution score, as the mean over the models: how different the image is from
    the training images. Above 1 it is rejected. Null if no model that answered provides a
    score."""


class ModelResult(Schema):
    """The result of one model. Fields that the model did not provide are null."""

    name: str
    version: int | None
    """The version that answered."""
    status: ModelStatus
    """``ok``, or why this model is left out of the ensemble."""
    prediction: ClassName | None
    confidence: Probability | None
    """The probability of the predicted class."""
    probabilities: Probabilities | None
    ood_score: Annotated[float, Field(ge=0)] | None
    """The out-of-distribution score: how different the image is from this model's training images.
    Above 1 it is too different. Null if the version does not provide it."""
    duration_seconds: Seconds
    """Round trip to the model server, measured at the gateway; the call may be shared with other
    images."""


class Timing(Schema):
    """The duration of each stage, measured with a monotonic clock."""

    decode_seconds: Seconds
    preprocess_seconds: Seconds
    inference_seconds: Seconds
    """From the first call to the last result; the models are called concurrently."""
    total_seconds: Seconds


PREDICTION_EXAMPLE: dict[str, Any] = {
    "request_id": "019ab0c2-64a4-7cf1-9c57-2f0a1d3b8e61",
    "filename": "IM000042",
    "image": {
        "format": "dicom",
        "width": 2140,
        "height": 1760,
        "size_bytes": 2541140,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "bits_used": None,
        "dicom": {
            "modality": "DX",
            "view": "PA",
            "frame": 1,
            "frames": 1,
            "window": {"source": "file", "center": 2048.0, "width": 4096.0},
            "hounsfield": False,
        },
    },
    "prediction": "COVID",
    "confidence": 0.9312,
    "probabilities": {"COVID": 0.9312, "non-COVID": 0.0688},
    "agreement": {"agreeing": 3, "answered": 3, "asked": 3},
    "input_check": {"reasons": [], "ood_score": 0.47},
    "uncertainty": {
        "models_spread": 0.06,
        "interval": {"low": 0.9021, "high": 0.9507, "variants": 8},
    },
    "review": False,
    "review_reasons": [],
    "degraded": False,
    "demo": False,
    "models": [
        {
            "name": name,
            "version": 2,
            "status": "ok",
            "prediction": "COVID",
            "confidence": confidence,
            "probabilities": {"COVID": confidence, "non-COVID": round(1 - confidence, 4)},
            "ood_score": ood_score,
            "duration_seconds": duration_seconds,
        }
        for name, confidence, ood_score, duration_seconds in (
            ("vgg16", 0.97, 0.52, 0.0131),
            ("resnet50", 0.9136, 0.42, 0.0084),
            ("xception", 0.91, 0.47, 0.0079),
        )
    ],
    "timing": {
        "decode_seconds": 0.0011,
        "preprocess_seconds": 0.0002,
        "inference_seconds": 0.031,
        "total_seconds": 0.0334,
    },
}


class PredictionResponse(Schema):
    """The response of ``POST /predict``."""

    model_config = ConfigDict(json_schema_extra={"examples": [PREDICTION_EXAMPLE]})

    request_id: str
    filename: str
    """The name that the client sent."""
    image: ImageInfo
    prediction: ClassName
    """The class that the ensemble predicts at the operating point."""
    confidence: Probability
    """The ensemble's probability of the predicted class."""
    probabilities: Probabilities
    """The mean of the probabilities of the models that answered."""
    agreement: Agreement
    input_check: InputCheck
    uncertainty: Uncertainty
    review: bool
    """True if a person should review the image before anyone relies on the verdict."""
    review_reasons: list[ReviewReason]
    """Why a review is needed: the models disagree; the ensemble's probability is close to the
    operating point, or its interval contains it; the prediction was forced; or the image seems to
    have been stored or read incorrectly."""
    degraded: bool
    """True if a model is missing from the ensemble."""
    demo: bool | None
    """True if any model that answered was trained on phantoms, so that the prediction says nothing
    about patients. Null if this is unknown because the volume is not mounted at the gateway."""
    models: list[ModelResult]
    timing: Timing
