"""Responses are sent in chunks, to clients that keep reading."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from covidscan.service.http.transport import ReaderPatience, in_pieces

KIB = 1024


@pytest.mark.parametrize("size", [0, 1, 64 * KIB, 64 * KIB + 1, 200 * KIB])
@pytest.mark.parametrize("more_body", [False, True])
async def test_a_body_is_sent_in_chunks_of_at_most_64_kib(size: int, more_body: bool):
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    sent: list[Message] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": body, "more_body": more_body})

    async def send(message: Message) -> None:
        sent.append(message)

    await in_pieces(app)({}, None, send)  # type: ignore[arg-type] # neither is read
    start, *chunks = sent
    assert start == {"type": "http.response.start", "status": 200}
    assert b"".join(chunk["body"] for chunk in chunks) == body
    assert max(len(chunk["body"]) for chunk in chunks) <= 64 * KIB
    assert [chunk.get("more_body", False) for chunk in chunks[:-1]] == [True] * (len(chunks) - 1)
    assert chunks[-1]["more_body"] is more_body


class Clock(asyncio.AbstractEventLoop):
    """An event loop whose time the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[float] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, *_: object, **__: object) -> asyncio.TimerHandle:
        self.timers.append(delay)
        return asyncio.TimerHandle(self.now + delay, print, (), self)

    def _timer_handle_cancelled(self, _: asyncio.TimerHandle) -> None:
        pass

    def get_debug(self) -> bool:
        return False


def test_a_client_that_reads_64_kib_per_second_is_not_timed_out_and_a_slower_one_is():
    clock = Clock()
    patience = ReaderPatience(clock, 10, lambda: None)
    for _ in range(30):
        # It reads 64 KiB per second.
        patience.earn(64 * KIB)
        patience.wait()
        clock.now += 1
        patience.go_on()
    assert min(clock.timers) >= 10 - 1
    clock.timers.clear()
    for _ in range(12):
        # Half as fast: each chunk takes a second more than it earns.
        patience.earn(64 * KIB)
        patience.wait()
        clock.now += 2
        patience.go_on()
    assert clock.timers[0] == 10
    assert clock.timers[-1] < 1
