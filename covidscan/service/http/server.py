"""The HTTP server that runs the gateway."""

import asyncio
import logging
import math
import socket
import sys
import time
from collections.abc import Callable
from typing import Final, cast

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from api.settings import Settings
from covidscan.service.http.connection_limits import ConnectionLimits
from covidscan.service.http.connection_slots import ConnectionSlots
from covidscan.service.http.connections import BoundedHttpProtocol, bounded_by
from covidscan.service.http.listener import Listener, listening_sockets
from covidscan.service.http.transport import in_pieces

_LAST_SECONDS: Final = 1.0
"""For answering cancelled requests, and for their clients to read the answers."""
_POLL_SECONDS: Final = 0.02

logger = logging.getLogger(__name__)

_BUDGETS_OF_A_REQUEST: Final = 2
"""An explanation has the time budget of a prediction, and as much again for its own inferences."""


def http_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration, with its timeouts and the limits per connection."""
    return uvicorn.Config(
        in_pieces(app),
        host=settings.host,
        port=settings.port,
        http=bounded_by(_connection_limits(app, settings)),
        # The app itself reads forwarded headers: api.http.access.client_address.
        proxy_headers=False,
        ws="none",
        ssl_certfile=settings.tls_certificate_file,
        ssl_keyfile=settings.tls_key_file,
        timeout_keep_alive=settings.idle_timeout_seconds,
        timeout_graceful_shutdown=grace_seconds(settings),
        server_header=False,
        # The gateway logs requests itself: route templates, never paths.
        access_log=False,
        log_config=None,
    )


def grace_seconds(settings: Settings) -> int:
    """Return how long requests in flight may take when the service stops: their full budget."""
    return math.ceil(_BUDGETS_OF_A_REQUEST * settings.request_timeout_seconds)


def _connection_limits(app: FastAPI, settings: Settings) -> ConnectionLimits:
    slots = ConnectionSlots(
        max_connections=settings.max_connections,
        max_per_address=settings.max_connections_per_address,
        unbounded=settings.trusted_proxies,
    )
    metrics = app.state.metrics
    metrics.watch("connections", "Connections that are open.", lambda: slots.connections)
    return ConnectionLimits(
        slots, settings.header_timeout_seconds, metrics.observe_rejected_connection
    )


class HttpServer(uvicorn.Server):
    """uvicorn's server, accepting connections through ``covidscan.service.http.listener``.

    Args:
        app: answers requests. Its metrics count connections that could not be accepted.
        settings: the address to listen on, and the limits.
        on_start: called with the first listening socket.
    """

    def __init__(
        self,
        app: FastAPI,
        settings: Settings,
        *,
        on_start: Callable[[socket.socket], None] = lambda _: None,
    ) -> None:
        super().__init__(http_config(app, settings))
        self._count_accept_error = app.state.metrics.observe_accept_error
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, then listen."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        config = self.config
        try:
            sockets = listening_sockets(config.host, config.port, backlog=config.backlog)
        except OSError as error:
            logger.error("cannot listen on port %d: %s", config.port, error.strerror)  # noqa: TRY400
            await self.lifespan.shutdown()
            sys.exit(STARTUP_FAILURE)
        listener = Listener(
            sockets, self._connect, tls=config.ssl, count_error=self._count_accept_error
        )
        # This is all that uvicorn needs of an ``asyncio.Server``.
        self.servers = [cast("asyncio.Server", listener)]
        self.started = True
        self._on_start(sockets[0])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop. Requests cancelled because they took too long are still answered."""
        await super().shutdown(sockets)
        state = self.server_state
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=_LAST_SECONDS)
        for connection in list(state.connections):
            connection.shutdown()
        deadline = time.monotonic() + _LAST_SECONDS
        while state.connections and time.monotonic() < deadline:  # noqa: ASYNC110 - uvicorn has no event to wait for
            await asyncio.sleep(_POLL_SECONDS)
        for connection in list(state.connections):
            cast("BoundedHttpProtocol", connection).transport.abort()
        await asyncio.sleep(0)

    def _connect(self) -> BoundedHttpProtocol:
        protocol = cast("type[BoundedHttpProtocol]", self.config.http_protocol_class)
        return protocol(self.config, self.server_state, self.lifespan.state)
