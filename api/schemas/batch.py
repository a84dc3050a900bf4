"""The response of ``POST /predict/batch``."""

from api.schemas.common import Schema
from api.schemas.prediction import PredictionResponse
from api.schemas.problem import Problem


class BatchItem(Schema):
    """One file of a batch: either a result or a problem; the other is null."""

    filename: str
    result: PredictionResponse | None
    problem: Problem | None


class BatchResponse(Schema):
    """The response of ``POST /predict/batch``, with one item per file, in order."""

    request_id: str
    succeeded: int
    failed: int
    items: list[BatchItem]
