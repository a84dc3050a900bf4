"""Explanations while models answer, fail or are replaced."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from api.explanation.explainer import Explainer, Explanation
from api.fair_sharing.caller import Caller
from api.fair_sharing.client_activity import ClientActivity
from api.fair_sharing.fair_slots import FairSlots
from api.observability.metrics import Metrics
from api.prediction.errors import ModelsTimeoutError, ModelsUnavailableError
from api.prediction.model_call import ModelCall, failed_result
from api.prediction.model_cards import ModelCards
from api.prediction.options import PredictionOptions
from api.prediction.predictor import Predictor
from api.prediction.preparation import ImagePreparation
from api.prediction.results import ModelResult, ModelStatus
from api.settings import Settings
from serving.client import Prediction
from serving.contract import MODEL_NAMES

DRAWING = cv2.imencode(".png", np.arange(64 * 64, dtype=np.uint8).reshape(64, 64))[1].tobytes()

CALLER = Caller(request_id="1", key_id=None, client="key 1")

Answers = Callable[[str, int], ModelResult]
"""Returns the answer of a model to an image by its number; the unchanged image is number 0."""


class InProcessDecoders:
    """Decodes in this process: unit tests start no decoder processes."""

    count = 1

    def submit(self, job: Callable[[bytes], Any], data: bytes, *, deadline: float) -> Future[Any]:
        assert deadline > time.monotonic()
        future: Future[Any] = Future()
        future.set_result(job(data))
        return future

    def close(self) -> None:
        """Nothing was started."""


class FanOut:
    """Answers each image with the function that it is given."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.asked = 0

    async def ask(
        self,
        image: NDArray[np.float32],
        *,
        client: str,
        timeout_seconds: float,
    ) -> list[ModelResult]:
        assert client == CALLER.client
        assert image.shape == (64, 64, 3)
        assert timeout_seconds > 0
        number, self.asked = self.asked, self.asked + 1
        return [self._answers(name, number) for name in MODEL_NAMES]


def answer(name: str, positive: float, version: int = 1) -> ModelResult:
    probabilities = np.array([[positive, 1 - positive]], np.float32)
    call = ModelCall(name, ModelStatus.OK, Prediction(version, probabilities), 0.01)
    return call.model_result(0, 0.5)


async def explain(answers: Answers, **settings: Any) -> Explanation:
    configured = Settings(_env_file=None, model_server="nowhere:1", **settings)
    metrics = Metrics(version="0", preprocessing="0")
    activity = ClientActivity()
    decoders: Any = InProcessDecoders()
    preparation = ImagePreparation(decoders, max_pixels=10_000, metrics=metrics, activity=activity)
    fan_out: Any = FanOut(answers)
    predictor = Predictor(
        preparation,
        fan_out,
        ModelCards(configured.models_dir),
        configured,
        metrics=metrics,
        image_slots=FairSlots(1, max_per_busy_client=1, activity=activity, max_waiting=1),
        audit=None,
    )
    explainer = Explainer(predictor, preparation, fan_out, configured, activity)
    try:
        return await explainer.explain("a.png", DRAWING, PredictionOptions(), CALLER)
    finally:
        preparation.close()


async def test_the_map_of_the_ensemble_is_the_mean_of_the_models_maps():
    found = await explain(lambda name, number: answer(name, 0.4 + len(name) * (number % 7) / 100))
    ensemble, *models = found.maps
    assert [each.name for each in found.maps] == ["ensemble", *MODEL_NAMES]
    assert {each.status for each in found.maps} == {ModelStatus.OK}
    values = [each.values for each in models if each.values is not None]
    assert ensemble.values is not None
    assert ensemble.values.shape == (64, 64)
    assert np.ptp(ensemble.values) > 0
    assert ensemble.values == pytest.approx(np.mean(values, axis=0))
    assert found.images_asked == 192
    assert found.picture.shape == (64, 64, 3)


async def test_a_model_that_fails_once_has_no_map():
    def answers(name: str, number: int) -> ModelResult:
        if (name, number) == ("resnet50", 40):
            return failed_result(name, ModelStatus.TIMEOUT, 1.0)
        return answer(name, 0.8)

    ensemble, vgg16, resnet50, xception = (await explain(answers)).maps
    assert (resnet50.status, resnet50.values) == (ModelStatus.TIMEOUT, None)
    assert vgg16.values is not None
    assert xception.values is not None
    assert ensemble.values == pytest.approx((vgg16.values + xception.values) / 2)


async def test_a_model_that_is_replaced_during_the_explanation_has_no_map():
    def answers(name: str, number: int) -> ModelResult:
        return answer(name, 0.8, version=2 if name == "vgg16" and number > 60 else 1)

    vgg16 = (await explain(answers)).maps[1]
    assert (vgg16.status, vgg16.values) == (ModelStatus.NOT_AVAILABLE, None)


async def test_fewer_maps_than_the_quorum_raise_models_unavailable():
    def answers(name: str, number: int) -> ModelResult:
        if name != "vgg16" and number == 3:
            return failed_result(name, ModelStatus.UNREACHABLE, 0.1)
        return answer(name, 0.8)

    with pytest.raises(ModelsUnavailableError, match="resnet50: unreachable"):
        await explain(answers, quorum=2)


async def test_timeouts_of_all_models_raise_models_late():
    def answers(name: str, number: int) -> ModelResult:
        return failed_result(name, ModelStatus.TIMEOUT, 1.0) if number else answer(name, 0.8)

    with pytest.raises(ModelsTimeoutError):
        await explain(answers)
