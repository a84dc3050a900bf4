"""Unhandled exceptions and requests that are cancelled are answered as problems, too."""

import asyncio
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import StoppingError
from api.http.problems import problem_response

logger = logging.getLogger(__name__)


class UnexpectedErrorsMiddleware:
    """Answers 500, and 503 where the server cancels a request because it stops.

    Starlette's own handler would stand outside of the log and of all headers, and the server would
    answer a request that it cancels with 500 and a text.

    Args:
        app: what answers the request.
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
            # Nothing awaits this task but the server, for which it is done once it is answered.
            await problem_response(StoppingError(), scope)(scope, receive, send)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            logger.exception("an error on our side")
            await problem_response(error, scope)(scope, receive, send)
