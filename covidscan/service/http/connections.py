"""HTTP connections with limits on their number, the size of heads and the slowness of clients.

uvicorn only bounds the time between two requests. Without these limits, a client that sends its
head byte by byte, or never reads its answer, would hold a connection for ever. A client that is
rejected while it still sends a body would never see why.
"""

import asyncio
from typing import ClassVar, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.access.open_paths import OPEN_PATHS
from covidscan.service.http.connection_limits import ConnectionLimits
from covidscan.service.http.connection_slots import ConnectionSlot
from covidscan.service.http.head import PIECE_BYTES, HeadSize
from covidscan.service.http.rejection import (
    NOT_HTTP,
    TOO_MANY_CONNECTIONS,
    TOO_SLOW,
    RejectedError,
    Rejection,
)
from covidscan.service.http.transport import CycleTransport, ReaderPatience

_MAX_PIPELINED: Final = 8
"""Requests that a client may send before the first of them is answered."""

_MAX_DISCARDED_BYTES: Final = 64 * 1024 * 1024
"""Limit for discarding an unwanted body: a client that sends all of it first sees the answer."""

_LATE_REQUEST_SECONDS: Final = 0.5
"""How long an idle connection is kept open when the service stops: a request may have been sent
before the client could know."""

_HEALTH_METHODS: Final = frozenset({b"GET", b"HEAD"})
_OPEN_URLS: Final = frozenset(path.encode() for path in OPEN_PATHS)


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with these limits; ``bounded_by`` sets them."""

    limits: ClassVar[ConnectionLimits]

    slot: ConnectionSlot | None = None
    """The connection's slot; set by a listener that counts connections."""

    _stopping = False
    _in_head = True
    _head: HeadSize
    """Size of the incomplete head that is being received."""
    _rejected = False
    _lingering = False
    _discarded_bytes = 0
    _waiting_for_head: asyncio.TimerHandle | None = None
    _waiting_for_end: asyncio.TimerHandle | None = None
    _reader: ReaderPatience

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit a client if there is a slot."""
        super().connection_made(transport)  # type: ignore[arg-type] # as uvicorn has it
        self._head = HeadSize()
        self._reader = ReaderPatience(self.loop, self.limits.timeout_seconds, self.transport.abort)
        # So ``pause_writing`` reports all unread data: closing waits for all of it.
        # With 0, asyncio's TLS would pause without reason.
        self.transport.set_write_buffer_limits(high=1, low=0)
        if self.slot is None:
            self.slot = self.limits.slots.take(self.client[0] if self.client else "")
        if self.slot is None:
            self._reject(TOO_MANY_CONNECTIONS)
            return
        if self.slot.health_checks_only:
            self.slot.evict = self._evict
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the slot."""
        self._stop_waiting()
        self.resume_writing()
        if self.slot is not None:
            self.slot.release()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse incoming data."""
        self._unset_keepalive_if_required()
        if self._rejected or (not self._in_head and self.cycle.response_complete):
            self._discard(len(data))
        if not self._lingering and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()
        rest = memoryview(data)
        while rest and not self._rejected and not self.transport.is_closing():
            size = PIECE_BYTES if self._in_head else len(rest)
            self._feed(rest[:size])
            rest = rest[size:]

    def on_url(self, url: bytes) -> None:
        """Receive the request's target."""
        self._head.parse(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a header. Trailers after a body are dropped: nothing reads or bounds them."""
        if self._in_head:
            self._head.parse_header(name, value)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin a request."""
        self._in_head, self._head, self._discarded_bytes = False, HeadSize(), 0
        if self._lingering:
            # Another request follows the body that was awaited.
            raise RejectedError(NOT_HTTP)
        self._stop_waiting()
        self._check_reserved_slot()
        super().on_headers_complete()
        self.cycle.transport = CycleTransport(  # type: ignore[assignment] # all that a cycle calls
            self.transport, self._reader, self._close_after_body
        )
        if len(self.pipeline) > _MAX_PIPELINED:
            self.transport.abort()
            # Otherwise everything received of them would be parsed and kept.
            raise RejectedError(NOT_HTTP)
        # After a request to upgrade to another protocol, nothing can be parsed.
        if self._stopping or self._for_health_checks or self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """End a body. The next data is another head."""
        self._in_head = True
        super().on_message_complete()
        if self._lingering:
            self.transport.close()

    def shutdown(self) -> None:
        """Answer the current request, or one that is on its way, and close."""
        self._stopping = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LATE_REQUEST_SECONDS, super().shutdown)
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Wait for the client to read, but not for ever."""
        super().pause_writing()
        self._reader.wait()

    def resume_writing(self) -> None:
        """Continue writing."""
        self._reader.go_on()
        super().resume_writing()

    @property
    def _for_health_checks(self) -> bool:
        return self.slot is not None and self.slot.health_checks_only

    def _feed(self, data: memoryview) -> None:
        head, in_head = self._head, self._in_head
        try:
            self.parser.feed_data(data)
            if in_head and head is self._head:
                head.receive(len(data))
        except httptools.HttpParserUpgrade:
            # Only HTTP/1.1 is spoken here. The request is answered as such.
            return
        except RejectedError as error:
            self._reject(error.rejection, linger=True)
        except httptools.HttpParserError as error:
            cause = error.__context__
            rejection = cause.rejection if isinstance(cause, RejectedError) else NOT_HTTP
            self._reject(rejection, linger=True)

    def _check_reserved_slot(self) -> None:
        if self.slot is None or not self.slot.health_checks_only:
            return
        if (
            self.parser.get_method() not in _HEALTH_METHODS
            or self.url.partition(b"?")[0] not in _OPEN_URLS
        ):
            raise RejectedError(TOO_MANY_CONNECTIONS)
        self.slot.evict = None

    def _expect_head(self) -> None:
        if self._waiting_for_head is None:
            self._waiting_for_head = self.loop.call_later(
                self.limits.head_seconds(self.slot), self._give_up_head
            )

    def _give_up_head(self) -> None:
        if self._in_head:
            self._reject(TOO_MANY_CONNECTIONS if self._for_health_checks else TOO_SLOW)
        else:
            # The rest of a body is late; its request has already been answered.
            self.transport.close()

    def _stop_waiting(self) -> None:
        for handle in (self._waiting_for_head, self._waiting_for_end):
            if handle is not None:
                handle.cancel()
        self._waiting_for_head = self._waiting_for_end = None

    def _evict(self) -> None:
        if self._lingering or self.transport.is_closing():
            self.transport.abort()
        else:
            self._reject(TOO_MANY_CONNECTIONS)

    def _reject(self, rejection: Rejection, *, linger: bool = False) -> None:
        """Answer and close before there is a request that the app could answer."""
        if self.transport.is_closing() or self._rejected:
            return
        self._rejected = True
        if self._lingering:
            self.transport.close()
            return
        self.limits.count_rejection(rejection.status)
        if self.cycle is not None and not self.cycle.response_complete:
            # The rejection would end up in the middle of another answer.
            self.transport.abort()
            return
        self.transport.write(rejection.answer())
        if linger:
            self._linger()
        else:
            self.transport.close()

    def _close_after_body(self) -> None:
        """Close once the client has sent its body, or as much of it as is waited for."""
        if self.slot is not None and self.slot.health_checks_only:
            self.slot.evict = self._evict
        if self._in_head or self.transport.is_closing():
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        # Closing while data comes in resets the connection: the client would never see its answer.
        self._lingering = True
        self._stop_waiting()
        self.pipeline.clear()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._waiting_for_end = self.loop.call_later(
            self.limits.timeout_seconds, self.transport.close
        )

    def _discard(self, size_bytes: int) -> None:
        self._discarded_bytes += size_bytes
        if self._discarded_bytes > _MAX_DISCARDED_BYTES:
            self.transport.close()


def bounded_by(limits: ConnectionLimits) -> type[BoundedHttpProtocol]:
    """Return the protocol class with these limits, for ``uvicorn.Config(http=...)``."""
    return type("BoundedHttpProtocol", (BoundedHttpProtocol,), {"limits": limits})
