"""The answers of ``GET /healthz`` and ``GET /readyz``."""

from typing import Literal

from api.prediction.results import ModelAnswerStatus
from api.schemas.common import Probability, Schema


class Health(Schema):
    """The answer of ``GET /healthz``: the gateway's process is alive."""

    status: Literal["ok"]


class Training(Schema):
    """Demo models that are being trained, beside the gateway."""

    status: Literal["running", "failed"]
    """After a failure the service's log says why; the next start of the service trains again."""
    share: Probability | None
    """How much is done, of all models together; null after a failure."""
    remaining_seconds: float | None
    """Until every model answers, an estimate; null after a failure."""


class Readiness(Schema):
    """The answer of ``GET /readyz``."""

    ready: bool
    """True where enough models answer for ``POST /predict`` to answer."""
    models: dict[str, ModelAnswerStatus]
    """The state of each model; ``ok`` where a version of it is available."""
    training: Training | None
