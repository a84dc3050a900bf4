"""Images that arrive while the models are busy share calls; each has its own deadline."""

import asyncio
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.fair_sharing.client_activity import ClientActivity
from api.prediction.fan_out import IMAGES_TOGETHER, PATIENCE_SECONDS, FanOut
from api.prediction.results import ModelResult, ModelStatus
from serving import tensors
from serving.client import EncodedImages, Prediction
from serving.contract import INPUT_NAME
from serving.errors import ModelNotFoundError
from serving.protos.predict_pb2 import PredictRequest
from tests.virtual_time import VIRTUAL_TIME

NAMES = ("vgg16", "resnet50")
GROUPS_AT_ONCE = 3


class Client:
    """Answers each image with the value of its pixels, once the gate of its model is open."""

    def __init__(self) -> None:
        self.gates = {name: asyncio.Event() for name in NAMES}
        self.calls: list[tuple[str, list[float]]] = []
        self.cancelled: list[str] = []

    def open(self) -> None:
        for gate in self.gates.values():
            gate.set()

    async def predict(
        self, name: str, images: EncodedImages, *, timeout_seconds: float
    ) -> Prediction:
        assert timeout_seconds > 0
        request = PredictRequest.FromString(images.message)
        values = tensors.decode(request.inputs[INPUT_NAME])[:, 0, 0, 0]
        self.calls.append((name, [round(float(value), 2) for value in values]))
        try:
            await self.gates[name].wait()
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        return Prediction(3, np.stack([values, 1 - values], axis=1))

    def groups(self, name: str = "vgg16") -> list[list[float]]:
        return [values for called, values in self.calls if called == name]


def image(value: float) -> NDArray[np.float32]:
    return np.full((64, 64, 3), value, np.float32)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def models(client: Client) -> FanOut:
    stand_in: Any = client
    return FanOut(
        stand_in,
        NAMES,
        operating_point=0.5,
        groups_at_once=GROUPS_AT_ONCE,
        activity=ClientActivity(),
    )


async def settle() -> None:
    """Let every task run until it waits; takes a millisecond of virtual time."""
    await asyncio.sleep(0.001)


async def start_asking(
    models: FanOut, *values: float, seconds: float = 5
) -> list[asyncio.Task[list[ModelResult]]]:
    """Send images in this order; each starts once the one before it waits."""
    tasks = []
    for value in values:
        tasks.append(
            asyncio.create_task(models.ask(image(value), client="a", timeout_seconds=seconds))
        )
        await settle()
    return tasks


def hundredths(count: int) -> list[float]:
    return [round((1 + index) / 100, 2) for index in range(count)]


async def test_an_image_does_not_wait_while_fewer_calls_than_allowed_are_in_progress(
    models: FanOut, client: Client
):
    await start_asking(models, *hundredths(GROUPS_AT_ONCE))
    assert client.groups() == [[value] for value in hundredths(GROUPS_AT_ONCE)]
    client.open()


async def test_waiting_images_share_a_call_and_each_gets_its_own_answer(
    models: FanOut, client: Client
):
    values = hundredths(GROUPS_AT_ONCE + IMAGES_TOGETHER + 3)
    tasks = await start_asking(models, *values)
    client.open()
    for value, answers in zip(values, await asyncio.gather(*tasks), strict=True):
        assert [answer.name for answer in answers] == list(NAMES)
        for answer in answers:
            assert (answer.status, answer.version) == (ModelStatus.OK, 3)
            assert answer.probabilities is not None
            assert answer.probabilities["COVID"] == pytest.approx(value)
    waited = values[GROUPS_AT_ONCE:]
    assert client.groups()[GROUPS_AT_ONCE:] == [waited[:IMAGES_TOGETHER], waited[IMAGES_TOGETHER:]]


async def test_a_late_model_is_reported_as_timed_out_at_the_deadline(
    models: FanOut, client: Client
):
    client.gates["vgg16"].set()
    (task,) = await start_asking(models, 0.7, seconds=0.1)
    vgg16, resnet50 = await task
    assert vgg16.status is ModelStatus.OK
    assert (resnet50.status, resnet50.probabilities) == (ModelStatus.TIMEOUT, None)
    assert resnet50.duration_seconds == pytest.approx(0.1)
    assert client.cancelled == ["resnet50"], "its call is cancelled"


async def test_images_that_share_a_call_have_their_own_deadlines(models: FanOut, client: Client):
    await start_asking(models, *hundredths(GROUPS_AT_ONCE))
    (short,) = await start_asking(models, 0.5, seconds=0.05)
    (long,) = await start_asking(models, 0.6)
    assert {answer.status for answer in await short} == {ModelStatus.TIMEOUT}
    client.open()
    assert {answer.status for answer in await long} == {ModelStatus.OK}
    assert client.groups()[-1] == [0.6], "an image past its deadline is not sent"


async def test_a_cancelled_request_cancels_its_calls_unless_other_images_share_them(
    models: FanOut, client: Client
):
    alone, *others = await start_asking(models, *hundredths(GROUPS_AT_ONCE))
    shared = await start_asking(models, 0.5, 0.6)
    alone.cancel()
    await settle()
    assert client.cancelled == list(NAMES)
    assert client.groups()[-1] == [0.5, 0.6]
    shared[0].cancel()
    await settle()
    assert client.cancelled == list(NAMES)
    client.open()
    assert (await shared[1])[0].status is ModelStatus.OK
    await asyncio.gather(*others)


async def test_stuck_calls_do_not_block_other_images(models: FanOut, client: Client):
    stuck = await start_asking(models, *hundredths(GROUPS_AT_ONCE))
    (late,) = await start_asking(models, 0.5)
    assert [0.5] not in client.groups()
    # The stuck calls began before the image that waits arrived.
    await asyncio.sleep(PATIENCE_SECONDS - 0.01)
    assert [0.5] not in client.groups()
    await asyncio.sleep(0.01)
    assert [0.5] in client.groups()
    client.open()
    await asyncio.gather(late, *stuck)


async def test_a_failed_call_fails_every_image_that_shares_it(
    models: FanOut, client: Client, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: object, **__: object) -> Prediction:
        raise ModelNotFoundError

    first = await start_asking(models, *hundredths(GROUPS_AT_ONCE))
    shared = await start_asking(models, 0.5, 0.6)
    monkeypatch.setattr(client, "predict", fail)
    client.open()
    for answers in await asyncio.gather(*shared):
        assert [answer.status for answer in answers] == [ModelStatus.NOT_AVAILABLE] * 2
    await asyncio.gather(*first)


async def test_an_unexpected_exception_reaches_the_caller(
    models: FanOut, client: Client, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: object, **__: object) -> Prediction:
        raise ZeroDivisionError

    monkeypatch.setattr(client, "predict", fail)
    with pytest.raises(ZeroDivisionError):
        await models.ask(image(0.5), client="a", timeout_seconds=1)
