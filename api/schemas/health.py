"""The answers of ``GET /healthz`` and ``GET /readyz``."""

from typing import Literal

from api.schemas.common import Schema


class Health(Schema):
    """The answer of ``GET /healthz``: the gateway's process is alive."""

    status: Literal["ok"]


class Readiness(Schema):
    """The answer of ``GET /readyz``."""

    ready: bool
    """True where every model has an available version."""
    not_ready: list[str]
    """The models that have none."""
