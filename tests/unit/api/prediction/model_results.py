"""Results of one model, for tests of what is made of them."""

from api.prediction.ensemble import decide
from api.prediction.results import ModelResult, ModelStatus


def result_of(
    positive: float, operating_point: float = 0.5, *, ood_score: float | None = None
) -> ModelResult:
    """Return the result of a model that gave this probability of the positive class."""
    verdict = decide(positive, operating_point)
    return ModelResult(
        name="m",
        version=1,
        status=ModelStatus.OK,
        prediction=verdict.prediction,
        confidence=verdict.confidence,
        probabilities=verdict.probabilities,
        ood_score=ood_score,
        duration_seconds=0.1,
    )


def late_result() -> ModelResult:
    """Return the result of a model that timed out."""
    return ModelResult(
        name="m",
        version=None,
        status=ModelStatus.TIMEOUT,
        prediction=None,
        confidence=None,
        probabilities=None,
        ood_score=None,
        duration_seconds=1.0,
    )
