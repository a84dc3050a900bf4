"""Ask every model at once; what fails is named, never guessed."""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Final

from opentelemetry import trace

from api.ensemble import decide
from api.schemas import ModelAnswer, ModelAnswerStatus
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

_FAILURES: Final[dict[type[ModelServerError], ModelAnswerStatus]] = {
    ModelDeadlineError: ModelAnswerStatus.TIMEOUT,
    ModelNotFoundError: ModelAnswerStatus.NOT_AVAILABLE,
    ModelServerUnavailableError: ModelAnswerStatus.UNREACHABLE,
    ModelServerExhaustedError: ModelAnswerStatus.UNREACHABLE,
    InvalidAnswerError: ModelAnswerStatus.INVALID_ANSWER,
    ModelServerError: ModelAnswerStatus.ERROR,
}

_tracer = trace.get_tracer("covidscan")

_PAUSE_SECONDS: Final = (0.02, 0.1)
"""Before a second attempt, at random between these: callers must not come back all at once."""


def failure_status(error: ModelServerError) -> ModelAnswerStatus:
    """How a failed call is named in an answer."""
    return _FAILURES[type(error)]


async def ask_all(
    client: ModelServerClient,
    names: Sequence[str],
    image: EncodedImages,
    *,
    timeout_seconds: float,
    operating_point: float,
) -> list[ModelAnswer]:
    """Ask all models about one image, in the order of ``names``; takes as long as the slowest."""
    return await asyncio.gather(
        *(
            _ask(
                client,
                name,
                image,
                timeout_seconds=timeout_seconds,
                operating_point=operating_point,
            )
            for name in names
        )
    )


async def _ask(
    client: ModelServerClient,
    name: str,
    image: EncodedImages,
    *,
    timeout_seconds: float,
    operating_point: float,
) -> ModelAnswer:
    started = time.perf_counter()
    with _tracer.start_as_current_span(
        f"predict {name}", kind=trace.SpanKind.CLIENT, attributes={"covidscan.model": name}
    ) as span:
        try:
            answer = await _predict(client, name, image, timeout_seconds=timeout_seconds)
        except ModelServerError as error:
            status = failure_status(error)
            # Without the message, which may name paths of the model server.
            span.set_status(trace.StatusCode.ERROR, status)
            return ModelAnswer(
                name=name,
                version=None,
                status=status,
                prediction=None,
                confidence=None,
                probabilities=None,
                duration_seconds=time.perf_counter() - started,
            )
        span.set_attribute("covidscan.version", answer.version)
    verdict = decide(float(answer.probabilities[0, POSITIVE_CLASS_INDEX]), operating_point)
    return ModelAnswer(
        name=name,
        version=answer.version,
        status=ModelAnswerStatus.OK,
        prediction=verdict.prediction,
        confidence=verdict.confidence,
        probabilities=verdict.probabilities,
        duration_seconds=time.perf_counter() - started,
    )


async def _predict(
    client: ModelServerClient, name: str, image: EncodedImages, *, timeout_seconds: float
) -> Prediction:
    """Ask once, and once more where the model server was not there and time is left."""
    deadline = time.perf_counter() + timeout_seconds
    try:
        return await client.predict(name, image, timeout_seconds=timeout_seconds)
    except ModelServerExhaustedError:
        raise
    except ModelServerUnavailableError:
        pause_seconds = random.uniform(*_PAUSE_SECONDS)  # noqa: S311 - jitter, not a secret
        left_seconds = deadline - time.perf_counter() - pause_seconds
        if left_seconds <= 0:
            raise
    await asyncio.sleep(pause_seconds)
    return await client.predict(name, image, timeout_seconds=left_seconds)
