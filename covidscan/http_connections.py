"""HTTP connections, bounded: how many, how large a head, how slow a client.

uvicorn bounds the time between two requests alone. A client that sends its head byte by byte, or
never reads its answer, would hold a connection for ever.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import PROBLEM_MEDIA_TYPE

_MAX_HEAD_BYTES: Final = 32 * 1024
_MAX_PIPELINED: Final = 8
"""Requests that a client may send before the one in front of them is answered."""

_ON_ITS_WAY_SECONDS: Final = 0.5
"""When the service stops, how long a connection is kept open on which there is no request:
one may have been sent before the client could know."""


@dataclass(frozen=True)
class ConnectionLimits:
    """What a connection may take."""

    max_connections: int
    timeout_seconds: float
    """For a request's head to come in, and for a client to go on reading its answer."""
    count_refusal: Callable[[int], None]
    """Is told the status of what is refused here, where no app sees it."""


class TooManyPipelinedError(Exception):
    """A client goes on sending requests without waiting for any answer."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with these bounds; ``bounded_by`` sets them."""

    limits: ClassVar[ConnectionLimits]

    _stopping = False
    _in_head = True
    _head_bytes = 0
    _waiting_for_head: asyncio.TimerHandle | None = None
    _waiting_for_reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let a client in, if there is room."""
        super().connection_made(transport)  # type: ignore[arg-type] # as uvicorn has it
        # So that ``pause_writing`` tells of all that is not read, as closing waits for all of it.
        # With 0 asyncio's TLS would pause for nothing.
        self.transport.set_write_buffer_limits(high=1, low=0)
        if len(self.connections) > self.limits.max_connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "too many connections")
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a client."""
        self._stop_waiting_for_head()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what a client sends."""
        if self.cycle is None or self.cycle.response_complete:
            self._expect_head()
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES + len(data):
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    "too-large",
                    f"the head of the request is larger than {_MAX_HEAD_BYTES} bytes",
                )
                return
        super().data_received(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header, but none behind a body: nothing reads those and nothing bounds them."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a request."""
        self._in_head, self._head_bytes = False, 0
        self._stop_waiting_for_head()
        super().on_headers_complete()
        if len(self.pipeline) > _MAX_PIPELINED:
            self.transport.abort()
            # Or all that has been received of them would be parsed and kept.
            raise TooManyPipelinedError
        if self._stopping:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """End a body; what comes next is another head."""
        self._in_head = True
        super().on_message_complete()

    def shutdown(self) -> None:
        """Answer the request that there is, or that is on its way, and close."""
        self._stopping = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_ON_ITS_WAY_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Wait for a client to read, but not for ever."""
        super().pause_writing()
        self._waiting_for_reader = self.loop.call_later(
            self.limits.timeout_seconds, self.transport.abort
        )

    def resume_writing(self) -> None:
        """Go on."""
        if self._waiting_for_reader is not None:
            self._waiting_for_reader.cancel()
            self._waiting_for_reader = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "bad-request", msg)

    def _expect_head(self) -> None:
        if self._waiting_for_head is None:
            self._waiting_for_head = self.loop.call_later(
                self.limits.timeout_seconds,
                self._refuse,
                HTTPStatus.REQUEST_TIMEOUT,
                "too-slow",
                "the head of the request came too slowly",
            )

    def _stop_waiting_for_head(self) -> None:
        if self._waiting_for_head is not None:
            self._waiting_for_head.cancel()
            self._waiting_for_head = None

    def _refuse(self, status: HTTPStatus, kind: str, detail: str) -> None:
        """Answer before there is a request that the app could answer, and close."""
        if self.transport.is_closing():
            return
        self.limits.count_refusal(status)
        if self.cycle is not None and not self.cycle.response_complete:
            # Here it would stand in the middle of another answer.
            self.transport.abort()
            return
        body = json.dumps(
            {
                "type": f"urn:covidscan:problem:{kind}",
                "title": status.phrase,
                "status": status.value,
                "detail": detail,
            }
        ).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            f"content-type: {PROBLEM_MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def bounded_by(limits: ConnectionLimits) -> type[BoundedHttpProtocol]:
    """The protocol with these limits, for ``uvicorn.Config(http=...)``."""
    return type("BoundedHttpProtocol", (BoundedHttpProtocol,), {"limits": limits})
