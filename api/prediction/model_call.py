"""One call to one model, for one or more images. Failures become a status, never a guess."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry import trace

from api.prediction.ensemble import decide
from api.prediction.results import ModelResult, ModelStatus
from api.prediction.retry import with_one_retry
from serving.client import EncodedImages, ModelServerClient, Prediction
from serving.contract import POSITIVE_CLASS_INDEX
from serving.errors import (
    InvalidAnswerError,
    ModelDeadlineError,
    ModelNotFoundError,
    ModelServerError,
    ModelServerExhaustedError,
    ModelServerUnavailableError,
)

_FAILURES: Final[dict[type[ModelServerError], ModelStatus]] = {
    ModelDeadlineError: ModelStatus.TIMEOUT,
    ModelNotFoundError: ModelStatus.NOT_AVAILABLE,
    ModelServerUnavailableError: ModelStatus.UNREACHABLE,
    ModelServerExhaustedError: ModelStatus.UNREACHABLE,
    InvalidAnswerError: ModelStatus.INVALID_ANSWER,
    ModelServerError: ModelStatus.ERROR,
}

_tracer = trace.get_tracer("covidscan")


@dataclass(frozen=True)
class ModelCall:
    """The outcome of a call."""

    name: str
    status: ModelStatus
    prediction: Prediction | None
    duration_seconds: float

    def model_result(self, row: int, operating_point: float) -> ModelResult:
        """The model's result for one of the images."""
        if self.prediction is None:
            return failed_result(self.name, self.status, self.duration_seconds)
        positive = float(self.prediction.probabilities[row, POSITIVE_CLASS_INDEX])
        verdict = decide(positive, operating_point)
        ood_scores = self.prediction.ood_scores
        return ModelResult(
            name=self.name,
            version=self.prediction.version,
            status=self.status,
            prediction=verdict.prediction,
            confidence=verdict.confidence,
            probabilities=verdict.probabilities,
            ood_score=None if ood_scores is None else float(ood_scores[row]),
            duration_seconds=self.duration_seconds,
        )


def failed_result(name: str, status: ModelStatus, duration_seconds: float) -> ModelResult:
    """The result of a model that did not answer."""
    return ModelResult(
        name=name,
        version=None,
        status=status,
        prediction=None,
        confidence=None,
        probabilities=None,
        ood_score=None,
        duration_seconds=duration_seconds,
    )


def failure_status(error: ModelServerError) -> ModelStatus:
    """The status of a failed call."""
    return _FAILURES[type(error)]


async def call_model(
    client: ModelServerClient,
    name: str,
    images: EncodedImages,
    *,
    timeout_seconds: float,
    links: Sequence[trace.Link],
) -> ModelCall:
    """Call a model, and retry once if the model server is unavailable and time is left.

    Args:
        client: the model server.
        name: the model.
        images: at least one.
        timeout_seconds: for both attempts together.
        links: the traces of the other requests that the images belong to.
    """
    started = time.perf_counter()
    with _tracer.start_as_current_span(
        f"predict {name}",
        kind=trace.SpanKind.CLIENT,
        attributes={"covidscan.model": name, "covidscan.images": images.count},
        links=links,
    ) as span:
        try:
            prediction = await with_one_retry(
                lambda left_seconds: client.predict(name, images, timeout_seconds=left_seconds),
                timeout_seconds=timeout_seconds,
            )
        except ModelServerError as error:
            status = failure_status(error)
            # Without the message, which may contain paths on the model server.
            span.set_status(trace.StatusCode.ERROR, status)
            return ModelCall(name, status, None, time.perf_counter() - started)
        span.set_attribute("covidscan.version", prediction.version)
    return ModelCall(name, ModelStatus.OK, prediction, time.perf_counter() - started)
