"""Logs and counts each request after its response."""

import logging
import time
from http import HTTPMethod, HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.access.open_paths import OPEN_PATHS
from api.observability.metrics import Metrics

logger = logging.getLogger(__name__)

_METHODS: Final = frozenset(method.value for method in HTTPMethod)
_STATUSES_WITH_ADDRESS: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
)


class ObservationMiddleware:
    """Logs and counts requests.

    Routes are named by their template, never by the requested path. Client addresses are logged
    only for rejected requests (401, 403, 429).

    Args:
        app: the wrapped ASGI application.
        metrics: count the requests.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        received_bytes = sent_bytes = 0
        # The status of a response to an exception that passes through here.
        status = int(HTTPStatus.INTERNAL_SERVER_ERROR)

        async def receive_counted() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            nonlocal sent_bytes, status
            status = int(message.get("status", status))
            sent_bytes += len(message.get("body", b""))
            await send(message)

        with self._metrics.requests_in_progress.track_inprogress():
            try:
                await self._app(scope, receive_counted, send_counted)
            finally:
                seconds = time.perf_counter() - started
                self._observe(scope, status, seconds)
                _log(scope, status, seconds, received_bytes, sent_bytes)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.observe_request(method, _route(scope), status, seconds)


def _route(scope: Scope) -> str:
    """The template of the matched route; ``none`` if the request did not reach one."""
    # For static files the mount sets the root path.
    return getattr(scope.get("route"), "path", None) or scope.get("root_path") or "none"


def _log(scope: Scope, status: int, seconds: float, received_bytes: int, sent_bytes: int) -> None:
    state = scope["state"]
    details = {name: state[name] for name in ("key_id", "problem", "versions") if state.get(name)}
    if status in _STATUSES_WITH_ADDRESS and scope["client"]:
        details["client"] = scope["client"][0]
    logger.log(
        logging.DEBUG if scope["path"] in OPEN_PATHS else logging.INFO,
        "request",
        extra={
            "method": scope["method"] if scope["method"] in _METHODS else "other",
            "route": _route(scope),
            "status": status,
            "duration_seconds": round(seconds, 6),
            "received_bytes": received_bytes,
            "sent_bytes": sent_bytes,
            **details,
        },
    )
