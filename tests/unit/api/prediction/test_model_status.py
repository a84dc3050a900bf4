"""The status and readiness of the models, as the gateway reports them."""

import asyncio
import math
from pathlib import Path

import pytest

from api.prediction.model_cards import ModelCards
from api.prediction.model_status import ModelStatusReader
from api.settings import Settings
from serving.client import ModelServerClient, VersionState, VersionStatus
from serving.contract import MODEL_NAMES
from serving.errors import ModelServerUnavailableError
from tests.stand_ins import Clock

READY = dict.fromkeys(MODEL_NAMES, "ok")


@pytest.mark.parametrize(
    ("reason", "reported"),
    [
        (
            "NOT_FOUND: Could not find SavedModel .pb at export directory path: /models/vgg16/3",
            "NOT_FOUND: Could not find SavedModel .pb at export directory path: 3",
        ),
        (
            "Can't parse /srv/data/m/saved_model.pb as binary proto",
            "Can't parse saved_model.pb as binary proto",
        ),
        ("tensors and/or ops do not match, 1/2", "tensors and/or ops do not match, 1/2"),
        (
            "/srv/Muster Maria/m: odd/vgg16/3/saved_model.pb; not a regular file",
            "saved_model.pb; not a regular file",
        ),
        ("/srv/Muster Maria/m: odd/vgg16/3; Permission denied", "3; Permission denied"),
    ],
)
async def test_a_load_error_is_reported_without_folders_of_the_model_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str, reported: str
):
    settings = Settings(_env_file=None, models_dir=Path("/srv/Muster Maria/m: odd"))

    async def broken(*_: object, **__: object) -> list[VersionStatus]:
        return [VersionStatus(3, VersionState.END, reason)]

    monkeypatch.setattr(ModelServerClient, "version_statuses", broken)

    async with ModelServerClient("127.0.0.1:1") as client:
        reader = ModelStatusReader(client, ModelCards(tmp_path), settings)
        assert (await reader.read_all())[0].versions[0].error == reported


class ClientStandIn:
    """A model server whose state the test sets; counts its requests."""

    def __init__(self) -> None:
        self.requests = 0
        self.state = VersionState.AVAILABLE
        self.fault: Exception | None = None
        self.faulty_requests: float = math.inf
        """How many requests raise the fault."""
        self.gate = asyncio.Event()
        self.gate.set()

    async def version_statuses(self, _: str, *, timeout_seconds: float) -> list[VersionStatus]:
        assert timeout_seconds > 0
        self.requests += 1
        await self.gate.wait()
        if self.fault and self.requests <= self.faulty_requests:
            raise self.fault
        return [VersionStatus(1, self.state, "")]


@pytest.fixture
def client() -> ClientStandIn:
    return ClientStandIn()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader(tmp_path: Path, client: ClientStandIn, clock: Clock) -> ModelStatusReader:
    cards = ModelCards(tmp_path, clock=clock)
    return ModelStatusReader(
        client,  # type: ignore[arg-type]
        cards,
        Settings(_env_file=None),
        clock=clock,
    )


async def test_concurrent_readiness_checks_query_the_model_server_once_a_second(
    reader: ModelStatusReader, client: ClientStandIn, clock: Clock
):
    for clock.now in (0.0, 0.5, 0.99):
        assert await asyncio.gather(*(reader.readiness() for _ in range(50))) == [READY] * 50
        assert [info.available for info in await reader.read_all()] == [True] * 3
        assert client.requests == len(MODEL_NAMES)
    client.state = VersionState.END
    clock.now = 1.0
    assert READY.items().isdisjoint((await reader.readiness()).items())


@pytest.mark.parametrize("fault", [None, ModelServerUnavailableError("gone")])
async def test_a_model_that_is_not_ready_is_queried_again_after_200_ms(
    reader: ModelStatusReader, client: ClientStandIn, clock: Clock, fault: Exception | None
):
    client.state, client.fault = VersionState.LOADING, fault
    # A request to an unavailable model server is retried once.
    expected = len(MODEL_NAMES) * (2 if fault else 1)
    for clock.now in (0.0, 0.19):
        assert READY.items().isdisjoint((await reader.readiness()).items())
        assert client.requests == expected
    client.state, client.fault = VersionState.AVAILABLE, None
    clock.now = 0.2
    assert await reader.readiness() == READY


async def test_an_unavailable_replica_does_not_make_a_model_unready(
    reader: ModelStatusReader, client: ClientStandIn
):
    client.fault, client.faulty_requests = ModelServerUnavailableError("gone"), len(MODEL_NAMES)
    assert await reader.readiness() == READY


async def test_a_cancelled_readiness_check_does_not_cancel_the_others(
    reader: ModelStatusReader, client: ClientStandIn
):
    client.gate.clear()
    first, *others = [asyncio.create_task(reader.readiness()) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    client.gate.set()
    assert await asyncio.gather(*others) == [READY] * 4
    assert client.requests == len(MODEL_NAMES)


async def test_an_unexpected_exception_is_raised_and_not_cached(
    reader: ModelStatusReader, client: ClientStandIn
):
    assert await reader.readiness() == READY
    reader._fresh_until = 0
    client.fault = RuntimeError("unexpected")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await reader.readiness()
    client.fault = None
    assert await reader.readiness() == READY


async def test_a_readiness_check_does_not_read_the_volume(
    reader: ModelStatusReader, monkeypatch: pytest.MonkeyPatch
):
    async def fail(*_: object) -> None:
        raise AssertionError("a model card was read")

    monkeypatch.setattr(ModelCards, "get", fail)
    assert await reader.readiness() == READY
