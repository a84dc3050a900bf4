"""The answers, field by field. No field has a default: it is always there, or not in the schema."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.contract import CLASS_NAMES
from serving.dicom.description import WindowSource

ClassName = Literal["COVID", "non-COVID"]
Probability = Annotated[float, Field(ge=0, le=1)]
Probabilities = Annotated[
    dict[ClassName, Probability],
    Field(description="The probability of each class; they sum to one."),
]
Seconds = Annotated[float, Field(ge=0)]


class Schema(BaseModel):
    """The base of all answers: immutable, and nothing beyond the schema."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, protected_namespaces=()
    )


class ModelAnswerStatus(StrEnum):
    """How a model's part of an answer came out."""

    OK = "ok"
    TIMEOUT = "timeout"
    NOT_AVAILABLE = "not_available"
    UNREACHABLE = "unreachable"
    INVALID_ANSWER = "invalid_answer"
    ERROR = "error"


class WindowInfo(Schema):
    """Where grey values begin and end: Hounsfield units in a CT, stored values in a radiograph."""

    source: WindowSource
    """One of the file's windows (``file``), its look-up table (``table``), the lung window
    (``lung``), or all that there is, from lowest to highest (``range``)."""
    center: float | None
    """Null of a look-up table."""
    width: float | None


class DicomInfo(Schema):
    """What was used of a DICOM file."""

    modality: Literal["CT", "CR", "DX"]
    view: str | None
    """The view position of a radiograph, such as PA, where the file says one."""
    frame: int
    """From 1 on; the middle one unless another was asked for."""
    frames: int
    window: WindowInfo


class ImageInfo(Schema):
    """What was read of the uploaded file."""

    format: str
    """The format, recognised by content: png, jpeg, bmp, tiff, webp or dicom."""
    width: int
    """In pixels, after EXIF orientation."""
    height: int
    """In pixels, after EXIF orientation."""
    size_bytes: int
    sha256: str
    dicom: DicomInfo | None
    """Null of every other format."""


class ReviewReason(StrEnum):
    """Why a verdict should not be taken as it is."""

    MODELS_DISAGREE = "models_disagree"
    NEAR_OPERATING_POINT = "near_operating_point"
    UNSTABLE = "unstable"
    """Variants of the image, where they were asked for, are called otherwise."""


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
        "dicom": {
            "modality": "DX",
            "view": "PA",
            "frame": 1,
            "frames": 1,
            "window": {"source": "file", "center": 2048.0, "width": 4096.0},
        },
    },
    "prediction": "COVID",
    "confidence": 0.9312,
    "probabilities": {"COVID": 0.9312, "non-COVID": 0.0688},
    "agreement": {"agreeing": 3, "answered": 3, "asked": 3},
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
            "duration_seconds": duration_seconds,
        }
        for name, confidence, duration_seconds in (
            ("vgg16", 0.97, 0.0131),
            ("resnet50", 0.9136, 0.0084),
            ("xception", 0.91, 0.0079),
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
    uncertainty: Uncertainty
    review: bool
    """True where somebody should look before anybody relies on the verdict."""
    review_reasons: list[ReviewReason]
    """Why: the models disagree, the ensemble's probability lies close to the operating point, or
    its interval on both sides of it."""
    degraded: bool
    """True where a model is missing from the ensemble."""
    demo: bool | None
    """True where any answering model learned from phantoms and says nothing about patients; null
    where that cannot be told because the volume is not mounted at the gateway."""
    models: list[ModelAnswer]
    timing: Timing


class SaliencyMap(Schema):
    """Where in the image one model's answer, or the ensemble's, comes from."""

    name: str
    """Of the model, or ``ensemble``."""
    version: int | None
    """The version that answered; null of the ensemble."""
    status: ModelAnswerStatus
    """``ok``, or why there is no map of this model."""
    values: list[list[float]] | None
    """Row by row from the top: how much more probable COVID is with that part of the image shown
    than with it hidden. Above zero it speaks for COVID, below against it."""
    heatmap: str | None
    """PNG in base64, RGBA and of the picture's size, to lay over it: red speaks for COVID, blue
    against it."""


class ExplanationAnswer(Schema):
    """The answer of ``POST /explain``. Decision support for research, not a medical device."""

    prediction: PredictionAnswer
    maps: list[SaliencyMap]
    """The ensemble's first, then each model's."""
    scale: float
    """The value at which colours are strongest, the same in all maps."""
    picture: str
    """PNG in base64: the image as the models saw it, its longest side at most 512 pixels."""
    images_asked: int
    """How often the models were asked, with other parts hidden each time."""
    explanation_seconds: Seconds


class Problem(Schema):
    """An error, RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:covidscan:problem:damaged-image",
                    "title": "Damaged image",
                    "status": 422,
                    "detail": "the png file is truncated or corrupt: send it again, whole",
                    "instance": "/predict",
                    "request_id": "019ab0c2-64a4-7cf1-9c57-2f0a1d3b8e61",
                }
            ]
        }
    )

    type: str
    """Stable and machine-readable."""
    title: str
    status: int
    detail: str
    """What went wrong and what to change."""
    instance: str
    """The path that was asked."""
    request_id: str


class BatchItem(Schema):
    """One file of a batch: a prediction or a problem, the other is null."""

    filename: str
    result: PredictionAnswer | None
    problem: Problem | None


class BatchAnswer(Schema):
    """The answer of ``POST /predict/batch``, in the order of the files."""

    request_id: str
    succeeded: int
    failed: int
    items: list[BatchItem]


class VersionInfo(Schema):
    """One version of a model."""

    version: int
    state: str
    """START, LOADING, AVAILABLE, UNLOADING or END, as TensorFlow Serving names them."""
    error: str | None
    """Why the version is not served, where it is broken."""
    demo: bool | None
    """True where it learned from phantoms; null where the volume is not mounted here."""
    created_at: str | None
    metrics: dict[str, float] | None
    """On the held-out test set of its training."""


class ModelInfo(Schema):
    """One model and the versions that the model server knows of, newest first."""

    name: str
    available: bool
    """Whether any version answers predictions."""
    serving_version: int | None
    """The newest available version."""
    status: ModelAnswerStatus
    """``ok``, or why nothing is known about the model."""
    demo: bool | None
    """Of the version that serves."""
    versions: list[VersionInfo]


class ModelsAnswer(Schema):
    """The answer of ``GET /models``."""

    classes: list[ClassName] = Field(examples=[list(CLASS_NAMES)])
    operating_point: Probability
    models: list[ModelInfo]


class Health(Schema):
    """The answer of ``GET /healthz``: the gateway's process is alive."""

    status: Literal["ok"]


class Readiness(Schema):
    """The answer of ``GET /readyz``."""

    ready: bool
    """True where every model has an available version."""
    not_ready: list[str]
    """The models that have none."""
