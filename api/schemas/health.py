"""The responses of ``GET /healthz`` and ``GET /readyz``."""

from typing import Literal

from api.prediction.results import ModelStatus
from api.schemas.common import Probability, Schema


class Health(Schema):
    """The response of ``GET /healthz``: the gateway's process is alive."""

    status: Literal["ok"]


class Training(Schema):
    """The training of demo models while the gateway runs."""

    status: Literal["running", "failed"]
    """After a failure, the log has the reason; training runs again when the service is
    restarted."""
    share: Probability | None
    """The completed share of all models together; null after a failure."""
    remaining_seconds: float | None
    """The estimated time until every model is available; null after a failure."""


class Readiness(Schema):
    """The response of ``GET /readyz``."""

    ready: bool
    """True if enough models are available for ``POST /predict``."""
    models: dict[str, ModelStatus]
    """The state of each model; ``ok`` if a version is available."""
    training: Training | None
