"""The results of a prediction, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from api.rejection_reason import RejectionReason
from api.review_reason import ReviewReason
from imaging.dicom.description import DicomDescription
from serving.contract import ClassName


class ModelStatus(StrEnum):
    """The outcome of asking one model, or whether it is ready to be asked."""

    OK = "ok"
    TIMEOUT = "timeout"
    NOT_AVAILABLE = "not_available"
    UNREACHABLE = "unreachable"
    INVALID_ANSWER = "invalid_answer"
    ERROR = "error"


@dataclass(frozen=True)
class ModelResult:
    """The result of one model. Fields that the model did not provide are None."""

    name: str
    version: int | None
    status: ModelStatus
    prediction: ClassName | None
    confidence: float | None
    """The probability of the predicted class."""
    probabilities: Mapping[ClassName, float] | None
    ood_score: float | None
    """Above 1 the image is too different from the model's training images."""
    duration_seconds: float
    """Duration of the call to the model server, which may be shared with other images."""


@dataclass(frozen=True)
class Agreement:
    """How many models agree with the ensemble's prediction."""

    agreeing: int
    answered: int
    asked: int


@dataclass(frozen=True)
class Interval:
    """The range of the ensemble's probability of COVID over augmented variants of the image."""

    low: float
    high: float
    variants: int
    """The number of variants, without the image itself."""


@dataclass(frozen=True)
class Uncertainty:
    """How certain the ensemble's probability of COVID is."""

    models_spread: float
    """The models' highest probability of COVID minus the lowest."""
    interval: Interval | None


@dataclass(frozen=True)
class InputCheck:
    """Whether the image looks like the models' training images."""

    reasons: Sequence[RejectionReason]
    ood_score: float | None
    """The mean over the models that provide one."""


@dataclass(frozen=True)
class ImageDescription:
    """Properties of the uploaded file."""

    format: str
    width: int
    height: int
    size_bytes: int
    sha256: str
    bits_used: int | None
    """The bits in use, for a PNG or TIFF file whose 16-bit samples use fewer bits and were
    scaled."""
    dicom: DicomDescription | None


@dataclass(frozen=True)
class Timing:
    """How long each step took."""

    decode_seconds: float
    preprocess_seconds: float
    inference_seconds: float
    total_seconds: float


@dataclass(frozen=True)
class PredictionResult:
    """A prediction for one image; ``api.schemas.prediction`` has the same fields."""

    request_id: str
    filename: str
    image: ImageDescription
    prediction: ClassName
    confidence: float
    probabilities: Mapping[ClassName, float]
    agreement: Agreement
    input_check: InputCheck
    uncertainty: Uncertainty
    review: bool
    review_reasons: Sequence[ReviewReason]
    degraded: bool
    demo: bool | None
    models: Sequence[ModelResult]
    timing: Timing
