"""The answer of ``POST /predict``."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from api.decoding.reasons import RefusalReason, ReviewReason
from api.prediction.results import ClassName, ModelAnswerStatus
from api.schemas.common import Probabilities, Probability, Schema, Seconds
from api.schemas.image import ImageInfo


class Agreement(Schema):
    """How many models share the ensemble's prediction."""

    agreeing: int
    answered: int
    asked: int


class Interval(Schema):
    """Of the ensemble's probability of COVID, over variants of the image."""

    low: Probability
    high: Probability
    variants: int
    """How many were asked about, the image itself not counted."""


class Uncertainty(Schema):
    """How firm the ensemble's probability of COVID is."""

    models_spread: Probability
    """From the lowest of the models' probabilities of COVID to the highest."""
    interval: Interval | None
    """From the lowest to the highest where the image is turned, shifted, enlarged and brightened a
    little (``?tta=``); null where that was not asked for, or no model answered it all."""


class InputCheck(Schema):
    """Whether the image looks like what the models are for."""

    reasons: list[RefusalReason]
    """Why it would have been refused but for ``?force=true``; empty where nothing speaks against
    it."""
    ood_score: Annotated[float, Field(ge=0)] | None
    """How far it is from the images that the models learned from, the mean of the models' own;
    above 1 it is too far. Null where no model that answered can tell."""


class ModelAnswer(Schema):
    """One model's part; all that the model did not give is null."""

    name: str
    version: int | None
    """The version that answered."""
    status: ModelAnswerStatus
    """``ok``, or why this model is left out of the ensemble."""
    prediction: ClassName | None
    confidence: Probability | None
    """The probability of the predicted class."""
    probabilities: Probabilities | None
    ood_score: Annotated[float, Field(ge=0)] | None
    """How far the image is from those that the model learned from, as the model sees them; above 1
    it is too far. Null where the version does not tell."""
    duration_seconds: Seconds
    """Round trip to the model server, which other images may share, measured at the gateway."""


class Timing(Schema):
    """Where the time went, measured with a monotonic clock."""

    decode_seconds: Seconds
    preprocess_seconds: Seconds
    inference_seconds: Seconds
    """From the first model asked to the last answer; the models are asked at once."""
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


class PredictionAnswer(Schema):
    """The answer of ``POST /predict``. Decision support for research, not a medical device."""

    model_config = ConfigDict(json_schema_extra={"examples": [PREDICTION_EXAMPLE]})

    request_id: str
    filename: str
    """As the client named it."""
    image: ImageInfo
    prediction: ClassName
    """The ensemble's class at the operating point."""
    confidence: Probability
    """The ensemble's probability of the predicted class."""
    probabilities: Probabilities
    """The mean of the probabilities of the models that answered."""
    agreement: Agreement
    input_check: InputCheck
    uncertainty: Uncertainty
    review: bool
    """True where somebody should look before anybody relies on the verdict."""
    review_reasons: list[ReviewReason]
    """Why: the models disagree, the ensemble's probability lies close to the operating point or its
    interval on both sides of it, the prediction was forced, or the image looks as if it was stored
    or read wrongly."""
    degraded: bool
    """True where a model is missing from the ensemble."""
    demo: bool | None
    """True where any answering model learned from phantoms and says nothing about patients; null
    where that cannot be told because the volume is not mounted at the gateway."""
    models: list[ModelAnswer]
    timing: Timing
