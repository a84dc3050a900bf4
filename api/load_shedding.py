"""Rejects requests that there is no room for before their bodies are received."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import OverloadedError
from api.fair_slots import FairSlots
from api.problems import problem_response

_WORTH_CLOSING_BYTES: Final = 1024 * 1024
"""A body of less is received and discarded; to connect again would cost more."""


class LoadSheddingMiddleware:
    """Refuses what there is no room for before its body is received and parsed.

    Args:
        app: what answers the request.
        load: where there is room or not.
        paths: of the routes that need it.
    """

    def __init__(self, app: ASGIApp, *, load: FairSlots, paths: Collection[str]) -> None:
        self._app = app
        self._load = load
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._paths:
            try:
                self._load.check(scope["state"]["client"])
            except OverloadedError as error:
                response = problem_response(error, scope)
                length = Headers(scope=scope).get("content-length", "")
                if not length.isdecimal() or int(length) > _WORTH_CLOSING_BYTES:
                    response.headers["Connection"] = "close"
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
