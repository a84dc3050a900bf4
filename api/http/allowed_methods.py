"""``HEAD`` on every route that has ``GET``, and the ``Allow`` header of a 405."""

from http import HTTPStatus
from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class HeadMiddleware:
    """Answers ``HEAD`` like ``GET``, without the body (RFC 9110, section 9.3.2).

    For the log and for the server the request stays ``HEAD``.

    Args:
        app: the wrapped ASGI application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if "body" in message else message)

        as_get = {**scope, "method": "GET"}
        try:
            await self._app(as_get, receive, send_head)
        finally:
            # The scope keeps the matched route.
            scope.update({**as_get, "method": "HEAD"})


def with_allowed_methods(error: HTTPException, request: Request) -> HTTPException:
    """A 405 with every method of its path in ``Allow``; a route only knows its own methods."""
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        return error
    allowed = [method for method in _METHODS if _has_method(request, method)]
    if not allowed:
        # Mounted static files set the header themselves.
        return error
    return HTTPException(error.status_code, error.detail, {"Allow": ", ".join(allowed)})


def _has_method(request: Request, method: str) -> bool:
    looked_up = "GET" if method == "HEAD" else method
    return any(
        route.matches({**request.scope, "method": looked_up})[0] is Match.FULL
        for route in request.app.routes
        if not isinstance(route, Mount)
    )
