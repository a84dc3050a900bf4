"""The answer of ``POST /predict/batch``."""

from api.schemas.common import Schema
from api.schemas.prediction import PredictionAnswer
from api.schemas.problem import Problem


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
