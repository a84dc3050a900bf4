"""How long a client may take to send a body, measured in virtual time."""

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


async def receive_body(chunks: Sequence[tuple[float, int]]) -> float:
    """Receive a body of chunks ``(pause before it, size)``, and return the seconds that it took."""
    remaining = list(chunks)

    async def receive() -> Message:
        pause_seconds, size = remaining.pop(0)
        await asyncio.sleep(pause_seconds)
        return {"type": "http.request", "body": bytes(size), "more_body": bool(remaining)}

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["more_body"]:
            pass

    async def send(_: Message) -> None:
        raise AssertionError("the middleware sent a response")

    middleware = BodyLimitMiddleware(
        app,
        budget=UploadBudget(MAX_BYTES, MAX_BYTES),
        default_bytes=MAX_BYTES,
        path_bytes={},
        timeout_seconds=TIMEOUT_SECONDS,
    )
    await middleware({"type": "http", "path": "/predict", "state": {}}, receive, send)
    return asyncio.get_running_loop().time()


async def test_a_client_that_sends_16_kib_per_second_is_not_timed_out():
    assert await receive_body([(0.99, 16 * KIB)] * 20) == pytest.approx(20 * 0.99)


async def test_a_client_that_sends_8_kib_per_second_is_rejected():
    with pytest.raises(SlowBodyError):
        await receive_body([(0.99, 8 * KIB)] * 20)
    # After the first second, each chunk earns half a second but takes a whole one.
    assert asyncio.get_running_loop().time() == pytest.approx(1.5)


async def test_a_client_that_sends_nothing_is_rejected_after_the_timeout():
    with pytest.raises(SlowBodyError):
        await receive_body([(60, 1)])
    assert asyncio.get_running_loop().time() == TIMEOUT_SECONDS


async def test_a_fast_start_does_not_extend_the_timeout_of_a_later_pause():
    with pytest.raises(SlowBodyError):
        await receive_body([(0, 500 * KIB), (60, 1)])
    assert asyncio.get_running_loop().time() == TIMEOUT_SECONDS
