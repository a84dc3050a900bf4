"""Sits between uvicorn and a connection while a request is answered."""

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PIECE_BYTES: Final = 64 * 1024
_MIN_BYTES_PER_SECOND: Final = 64 * 1024


class ReaderPatience:
    """Limits how long a client may take to read its answer: a base time, plus 1 s per 64 KiB.

    Args:
        loop: provides the clock.
        seconds: how long a client may read nothing.
        give_up: ends the connection.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, give_up: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._max_seconds = self._seconds = seconds
        self._give_up = give_up
        self._waiting: asyncio.TimerHandle | None = None
        self._since = 0.0

    def wait(self) -> None:
        """Start the timer: the client is not reading."""
        self._since = self._loop.time()
        self._waiting = self._loop.call_later(max(0.0, self._seconds), self._give_up)

    def go_on(self) -> None:
        """Stop the timer: the client has read everything, or has left."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
            self._seconds -= self._loop.time() - self._since

    def earn(self, size_bytes: int) -> None:
        """Extend the time, for data that is being sent."""
        earned = size_bytes / _MIN_BYTES_PER_SECOND
        # Fast reading does not buy extra time to stall.
        self._seconds = min(self._max_seconds, self._seconds + earned)


class CycleTransport:
    """A connection as uvicorn's request and response cycle uses it.

    Args:
        transport: the connection.
        patience: counts what is sent.
        close: ends the connection after the answer.
    """

    def __init__(
        self, transport: asyncio.Transport, patience: ReaderPatience, close: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._patience = patience
        self.close = close
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Send, or queue for sending."""
        self._patience.earn(len(data))
        self._transport.write(data)


def in_pieces(app: ASGIApp) -> ASGIApp:
    """Wrap an app so that large bodies are sent in pieces.

    uvicorn waits for a client to read before it sends more, but passes each body on in one piece. A
    client that does not read would hold a second copy of the whole body.
    """

    async def send_pieces(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_pieces(message: Message) -> None:
            body = message.get("body", b"")
            if len(body) <= _PIECE_BYTES:
                await send(message)
                return
            rest = memoryview(body)
            while len(rest) > _PIECE_BYTES:
                await send({**message, "body": rest[:_PIECE_BYTES], "more_body": True})
                rest = rest[_PIECE_BYTES:]
            await send({**message, "body": rest})

        await app(scope, receive, send_in_pieces)

    return send_pieces
