"""A call to an unavailable model server is retried once."""

import asyncio
from typing import Any

import numpy as np
import pytest

from api.prediction.model_call import call_model
from api.prediction.results import ModelResult, ModelStatus
from serving.client import EncodedImages, Prediction
from serving.errors import (
    InvalidAnswerError,
    ModelDeadlineError,
    ModelNotFoundError,
    ModelServerError,
    ModelServerExhaustedError,
    ModelServerUnavailableError,
)
from tests.virtual_time import VIRTUAL_TIME


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


IMAGE = EncodedImages(1, b"")
PREDICTION = Prediction(7, np.array([[0.8, 0.2]], np.float32))


class Client:
    """Raises the given failures one after the other, and then answers."""

    def __init__(self, *failures: type[ModelServerError]) -> None:
        self._failures = list(failures)
        self.timeouts: list[float] = []

    async def predict(
        self, _name: str, _image: EncodedImages, *, timeout_seconds: float
    ) -> Prediction:
        self.timeouts.append(timeout_seconds)
        if self._failures:
            raise self._failures.pop(0)
        return PREDICTION


async def ask(client: Client, *, timeout_seconds: float = 5) -> ModelResult:
    call = await call_model(
        client,  # type: ignore[arg-type]
        "vgg16",
        IMAGE,
        timeout_seconds=timeout_seconds,
        links=[],
    )
    return call.model_result(0, operating_point=0.5)


async def test_a_call_to_an_unavailable_model_server_is_retried_within_the_remaining_time():
    client = Client(ModelServerUnavailableError)
    answer = await ask(client)
    assert (answer.status, answer.version) == (ModelStatus.OK, 7)
    first, second = client.timeouts
    assert 0 < second < first


async def test_there_is_no_third_attempt():
    client = Client(*[ModelServerUnavailableError] * 5)
    assert (await ask(client)).status is ModelStatus.UNREACHABLE
    assert len(client.timeouts) == 2


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ModelServerExhaustedError, ModelStatus.UNREACHABLE),
        (ModelDeadlineError, ModelStatus.TIMEOUT),
        (ModelNotFoundError, ModelStatus.NOT_AVAILABLE),
        (InvalidAnswerError, ModelStatus.INVALID_ANSWER),
        (ModelServerError, ModelStatus.ERROR),
    ],
)
async def test_other_failures_are_not_retried(failure: type[ModelServerError], status: ModelStatus):
    client = Client(failure)
    answer = await ask(client)
    assert (answer.status, answer.probabilities) == (status, None)
    assert len(client.timeouts) == 1


async def test_there_is_no_retry_without_time_left():
    client = Client(ModelServerUnavailableError)
    assert (await ask(client, timeout_seconds=0.01)).status is ModelStatus.UNREACHABLE
    assert asyncio.get_running_loop().time() == 0, "it fails at once"
    assert len(client.timeouts) == 1
