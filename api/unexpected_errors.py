"""What nobody expected is a problem too: ours, and told to the log alone."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import ProblemError
from api.problems import problem_response

logger = logging.getLogger(__name__)


class UnexpectedErrorsMiddleware:
    """Answers 500. Starlette's own handler would stand outside of the log and of all headers.

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
        except Exception:
            if started or scope["type"] != "http":
                raise
            logger.exception("an error on our side")
            error = ProblemError("an error on our side; nothing was stored")
            await problem_response(error, scope)(scope, receive, send)
