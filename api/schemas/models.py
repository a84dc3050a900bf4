"""The response of ``GET /models``."""

from pydantic import Field

from api.prediction.results import ModelStatus
from api.schemas.common import Probability, Schema
from serving.contract import CLASS_NAMES, ClassName


class VersionInfo(Schema):
    """One version of a model."""

    version: int
    state: str
    """START, LOADING, AVAILABLE, UNLOADING or END, as TensorFlow Serving names them."""
    error: str | None
    """Why the version could not be loaded, if it could not."""
    demo: bool | None
    """True if it was trained on phantoms; null if the volume is not mounted at the gateway."""
    created_at: str | None
    metrics: dict[str, float] | None
    """Measured on the held-out test set of its training run."""


class ModelInfo(Schema):
    """One model and its versions on the model server, newest first."""

    name: str
    available: bool
    """Whether a version is available for predictions."""
    serving_version: int | None
    """The newest available version."""
    status: ModelStatus
    """``ok``, or why the model is not available."""
    demo: bool | None
    """Of the serving version."""
    versions: list[VersionInfo]


class ModelsResponse(Schema):
    """The response of ``GET /models``."""

    classes: list[ClassName] = Field(examples=[list(CLASS_NAMES)])
    operating_point: Probability
    models: list[ModelInfo]
