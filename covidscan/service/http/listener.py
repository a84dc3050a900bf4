"""Accepts connections.

asyncio's own server accepts without a bound, before connections can be counted, and does not count
TLS handshakes at all. When descriptors run out, it logs a line for each attempt.
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final

from covidscan.service.http.connection_slots import ConnectionSlot
from covidscan.service.http.connections import BoundedHttpProtocol

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 4
"""Connections accepted before the open ones get their turn."""

_PAUSE_SECONDS: Final = 0.1
"""Pause before the next attempt, if there are no descriptors or no memory for a connection."""


class Listener:
    """Listens on an address; provides what uvicorn needs of an ``asyncio.Server``.

    Args:
        sockets: listening sockets.
        connect: creates the protocol of a connection.
        tls: for HTTPS.
        count_error: called with the name of each error of ``accept``, such as ``EMFILE``.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        connect: Callable[[], BoundedHttpProtocol],
        *,
        tls: ssl.SSLContext | None,
        count_error: Callable[[str], None],
    ) -> None:
        self.sockets = sockets
        self._connect = connect
        self._tls = tls
        self._count_error = count_error
        self._beginning: set[asyncio.Task[None]] = set()
        self._accepting = [asyncio.create_task(self._accept(each)) for each in sockets]

    def close(self) -> None:
        """Stop accepting."""
        for task in self._accepting:
            task.cancel()
        for each in self.sockets:
            # After the event loop has dropped the socket, which cancelling makes it do next.
            asyncio.get_running_loop().call_soon(each.close)

    async def wait_closed(self) -> None:
        """Wait until accepting has stopped."""
        for task in self._beginning:
            # TLS handshakes that have outlasted every request.
            task.cancel()
        await asyncio.gather(*self._accepting, *self._beginning, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        accepted = 0
        while True:
            try:
                connection, address = await loop.sock_accept(listener)
            except OSError as error:
                await self._after(error)
                continue
            self._let_in(connection, address[0])
            accepted += 1
            if accepted % _AT_ONCE == 0:
                # ``sock_accept`` does not yield while connections are queued.
                await asyncio.sleep(0)

    async def _after(self, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "other")
        self._count_error(name)
        if isinstance(error, ConnectionError):
            # The client has already left.
            await asyncio.sleep(0)
        else:
            logger.error("connections cannot be accepted: %s", name)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _let_in(self, connection: socket.socket, address: str) -> None:
        # Without it, the end of an answer waits up to 40 ms until its beginning is acknowledged.
        # asyncio sets it only on sockets that name their protocol, which Python's listening
        # sockets do not.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        protocol = self._connect()
        limits = protocol.limits
        protocol.slot = limits.slots.take(address)
        if protocol.slot is None:
            limits.count_rejection(HTTPStatus.SERVICE_UNAVAILABLE)
            connection.close()
            return
        task = asyncio.create_task(self._begin(connection, protocol, protocol.slot))
        if protocol.slot.health_checks_only:
            protocol.slot.evict = task.cancel
        self._beginning.add(task)

        def end(_: asyncio.Task[None]) -> None:
            self._beginning.discard(task)
            if task.cancelled():
                # It may have ended before there was a transport that would close the socket.
                connection.close()

        task.add_done_callback(end)

    async def _begin(
        self, connection: socket.socket, protocol: BoundedHttpProtocol, slot: ConnectionSlot
    ) -> None:
        limits = protocol.limits
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=limits.head_seconds(slot) if self._tls else None,
                # A client that does not close TLS itself would hold its slot for half a minute.
                ssl_shutdown_timeout=limits.timeout_seconds if self._tls else None,
            )
        except OSError:
            # Not TLS, or the client has left. Once connected, the protocol releases the slot.
            slot.release()
            connection.close()


def listening_sockets(host: str, port: int, *, backlog: int) -> list[socket.socket]:
    """Return sockets that listen on every address of a host.

    Raises:
        OSError: the host is unknown, or an address is in use.
    """
    addresses = dict.fromkeys(
        (family, address)
        for family, _, _, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    )
    sockets: list[socket.socket] = []
    try:
        for family, address in addresses:
            listener = socket.create_server(address, family=family, backlog=backlog)
            listener.setblocking(False)
            sockets.append(listener)
    except OSError:
        for listener in sockets:
            listener.close()
        raise
    return sockets
