"""The answer of ``GET /models``."""

from pydantic import Field

from api.prediction.results import ClassName, ModelAnswerStatus
from api.schemas.common import Probability, Schema
from serving.contract import CLASS_NAMES


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
