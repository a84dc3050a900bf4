"""How long a client may take to send a body, on virtual time."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.http.errors import SlowBodyError
from api.http.uploads import BodyLimitMiddleware, UploadBudget
from tests.virtual_time import VIRTUAL_TIME

KIB = 1024
TIMEOUT_SECONDS = 1.0
MAX_BYTES = 1000 * KIB


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


async def receive_body(pieces: Sequence[tuple[float, int]]) -> float:
    """Receive a body, and how long that takes; of each piece the pause before it and its size."""
    remaining = list(pieces)

    async def receive() -> Message:
        pause_seconds, size = remaining.pop(0)
        await asyncio.sleep(pause_seconds)
        return {"type": "http.request", "body": bytes(size), "more_body": bool(remaining)}

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["more_body"]:
            pass

    async def send(_: Message) -> None:
        raise AssertionError("there is no answer")

    middleware = BodyLimitMiddleware(
        app,
        budget=UploadBudget(MAX_BYTES, MAX_BYTES),
        default_bytes=MAX_BYTES,
        path_bytes={},
        timeout_seconds=TIMEOUT_SECONDS,
    )
    await middleware({"type": "http", "path": "/predict", "state": {}}, receive, send)
    return asyncio.get_running_loop().time()


async def test_a_client_that_sends_16_kib_a_second_has_the_time_it_needs():
    assert await receive_body([(0.99, 16 * KIB)] * 20) == pytest.approx(20 * 0.99)


async def test_a_client_that_sends_half_as_fast_is_rejected():
    with pytest.raises(SlowBodyError):
        await receive_body([(0.99, 8 * KIB)] * 20)
    # After the first second it has earned half a second with each piece, and needed twice as much.
    assert asyncio.get_running_loop().time() == pytest.approx(1.5)


async def test_a_client_that_sends_nothing_is_rejected():
    with pytest.raises(SlowBodyError):
        await receive_body([(60, 1)])
    assert asyncio.get_running_loop().time() == TIMEOUT_SECONDS


async def test_a_body_that_was_fast_earns_no_silence():
    with pytest.raises(SlowBodyError):
        await receive_body([(0, 500 * KIB), (60, 1)])
    assert asyncio.get_running_loop().time() == TIMEOUT_SECONDS
