"""Turns unhandled exceptions into 500 problems; details go to the log only."""

import asyncio
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import StoppingError
from api.http.problems import problem_response

logger = logging.getLogger(__name__)


class UnexpectedErrorsMiddleware:
    """Responds with 500, or with 503 if the server cancels a request because it is stopping.

    Starlette's own handler runs outside the middleware that logs and sets headers, and the server
    would answer a cancelled request with 500 and plain text.

    Args:
        app: the wrapped ASGI application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = False

        async def send_noticed(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_noticed)
        except asyncio.CancelledError:
            if started or scope["type"] != "http":
                raise
            # Only the server awaits this task, and the task is done once it has sent a response.
            await problem_response(StoppingError(), scope)(scope, receive, send)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            logger.exception("unhandled exception")
            await problem_response(error, scope)(scope, receive, send)
