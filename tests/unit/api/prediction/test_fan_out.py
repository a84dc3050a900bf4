"""Images that come in while the models are busy share calls; each gets its own answer in time."""

import asyncio
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from api.load.client_activity import ClientActivity
from api.prediction.fan_out import IMAGES_TOGETHER, PATIENCE_SECONDS, FanOut
from api.prediction.results import ModelAnswerStatus, ModelResult
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
    ours: Any = client
    return FanOut(
        ours,
        NAMES,
        operating_point=0.5,
        groups_at_once=GROUPS_AT_ONCE,
        activity=ClientActivity(),
    )


async def everything_settled() -> None:
    """Let every task go as far as it can; takes a thousandth of a second of virtual time."""
    await asyncio.sleep(0.001)


async def asking(
    models: FanOut, *values: float, seconds: float = 5
) -> list[asyncio.Task[list[ModelResult]]]:
    """Ask about images in this order, each as far as it gets."""
    tasks = []
    for value in values:
        tasks.append(
            asyncio.create_task(models.ask(image(value), client="a", timeout_seconds=seconds))
        )
        await everything_settled()
    return tasks


def hundredths(count: int) -> list[float]:
    return [round((1 + index) / 100, 2) for index in range(count)]


async def test_an_image_does_not_wait_while_there_are_few(models: FanOut, client: Client):
    await asking(models, *hundredths(GROUPS_AT_ONCE))
    assert client.groups() == [[value] for value in hundredths(GROUPS_AT_ONCE)]
    client.open()


async def test_images_that_must_wait_travel_together_and_each_has_its_own_answer(
    models: FanOut, client: Client
):
    values = hundredths(GROUPS_AT_ONCE + IMAGES_TOGETHER + 3)
    tasks = await asking(models, *values)
    client.open()
    for value, answers in zip(values, await asyncio.gather(*tasks), strict=True):
        assert [answer.name for answer in answers] == list(NAMES)
        for answer in answers:
            assert (answer.status, answer.version) == (ModelAnswerStatus.OK, 3)
            assert answer.probabilities is not None
            assert answer.probabilities["COVID"] == pytest.approx(value)
    waited = values[GROUPS_AT_ONCE:]
    assert client.groups()[GROUPS_AT_ONCE:] == [waited[:IMAGES_TOGETHER], waited[IMAGES_TOGETHER:]]


async def test_a_model_that_is_late_is_left_out_for_those_whose_time_is_up(
    models: FanOut, client: Client
):
    client.gates["vgg16"].set()
    (task,) = await asking(models, 0.7, seconds=0.1)
    vgg16, resnet50 = await task
    assert vgg16.status is ModelAnswerStatus.OK
    assert (resnet50.status, resnet50.probabilities) == (ModelAnswerStatus.TIMEOUT, None)
    assert resnet50.duration_seconds == pytest.approx(0.1)
    assert client.cancelled == ["resnet50"], "nobody waits for it any more"


async def test_one_image_s_deadline_is_not_its_neighbour_s(models: FanOut, client: Client):
    await asking(models, *hundredths(GROUPS_AT_ONCE))
    (hasty,) = await asking(models, 0.5, seconds=0.05)
    (patient,) = await asking(models, 0.6)
    assert {answer.status for answer in await hasty} == {ModelAnswerStatus.TIMEOUT}
    client.open()
    assert {answer.status for answer in await patient} == {ModelAnswerStatus.OK}
    assert client.groups()[-1] == [0.6], "what has left is not asked about"


async def test_who_leaves_takes_the_call_along_unless_others_share_it(
    models: FanOut, client: Client
):
    alone, *others = await asking(models, *hundredths(GROUPS_AT_ONCE))
    shared = await asking(models, 0.5, 0.6)
    alone.cancel()
    await everything_settled()
    assert client.cancelled == list(NAMES)
    assert client.groups()[-1] == [0.5, 0.6]
    shared[0].cancel()
    await everything_settled()
    assert client.cancelled == list(NAMES)
    client.open()
    assert (await shared[1])[0].status is ModelAnswerStatus.OK
    await asyncio.gather(*others)


async def test_calls_that_are_stuck_hold_nobody_else_up(models: FanOut, client: Client):
    stuck = await asking(models, *hundredths(GROUPS_AT_ONCE))
    (late,) = await asking(models, 0.5)
    assert [0.5] not in client.groups()
    # The first call began before the image came that waits.
    await asyncio.sleep(PATIENCE_SECONDS - 0.01)
    assert [0.5] not in client.groups()
    await asyncio.sleep(0.01)
    assert [0.5] in client.groups()
    client.open()
    await asyncio.gather(late, *stuck)


async def test_a_failure_is_told_to_all_who_share_the_call(
    models: FanOut, client: Client, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: object, **__: object) -> Prediction:
        raise ModelNotFoundError

    first = await asking(models, *hundredths(GROUPS_AT_ONCE))
    shared = await asking(models, 0.5, 0.6)
    monkeypatch.setattr(client, "predict", fail)
    client.open()
    for answers in await asyncio.gather(*shared):
        assert [answer.status for answer in answers] == [ModelAnswerStatus.NOT_AVAILABLE] * 2
    await asyncio.gather(*first)


async def test_a_fault_of_ours_is_raised_where_it_is_waited_for(
    models: FanOut, client: Client, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: object, **__: object) -> Prediction:
        raise ZeroDivisionError

    monkeypatch.setattr(client, "predict", fail)
    with pytest.raises(ZeroDivisionError):
        await models.ask(image(0.5), client="a", timeout_seconds=1)
