"""Load shedding: requests wait for a slot, or are rejected, before their bodies are received."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.fair_sharing.errors import OverloadedError
from api.fair_sharing.fair_slots import FairSlots
from api.http.problems import problem_response

_MAX_DISCARDED_BYTES: Final = 1024 * 1024
"""A smaller body is received and discarded; a new connection would cost more."""


class LoadSheddingMiddleware:
    """Rejects requests when the service is full, and limits how many of a busy client run at once.

    Receiving uploads and sending responses takes time of the event loop that all clients share.

    Args:
        app: the wrapped ASGI application.
        image_slots: slots of the images in progress.
        request_slots: slots of the requests that are being received or answered.
        paths: of the routes that this applies to.
        timeout_seconds: how long a request may wait for a slot.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        image_slots: FairSlots,
        request_slots: FairSlots,
        paths: Collection[str],
        timeout_seconds: float,
    ) -> None:
        self._app = app
        self._image_slots = image_slots
        self._request_slots = request_slots
        self._paths = paths
        self._timeout_seconds = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        client = scope["state"]["client"]
        try:
            self._image_slots.check(client)
            await self._request_slots.acquire_within(client, timeout_seconds=self._timeout_seconds)
        except OverloadedError as error:
            response = problem_response(error, scope)
            length = Headers(scope=scope).get("content-length", "")
            if not length.isdecimal() or int(length) > _MAX_DISCARDED_BYTES:
                response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._request_slots.release(client)
