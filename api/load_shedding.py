"""How much is done at once: a bounded number in progress, a bounded number waiting, no more."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import OverloadedError
from api.problems import problem_response

_WORTH_CLOSING_BYTES: Final = 1024 * 1024
"""A body of less is received and discarded; to connect again would cost more."""


class LoadLimit:
    """Lets in as many as can be worked on, lets others wait, and refuses the rest at once.

    Args:
        in_progress: how many are worked on at the same time.
        waiting: how many wait for one of them to end.
    """

    def __init__(self, *, in_progress: int, waiting: int) -> None:
        self._places = asyncio.Semaphore(in_progress)
        self._max_waiting = waiting
        self.in_progress = 0
        """How many are worked on."""
        self.waiting = 0
        """How many wait."""

    def check(self) -> None:
        """Say whether there is room for one more.

        Raises:
            OverloadedError: as many wait as may.
        """
        if self._places.locked() and self.waiting >= self._max_waiting:
            raise OverloadedError("too many requests are in progress; try again")

    @asynccontextmanager
    async def place(self, *, timeout_seconds: float) -> AsyncIterator[None]:
        """Hold a place; wait for one if need be, first come, first served.

        Raises:
            OverloadedError: too many wait already, or the wait was too long.
        """
        self.check()
        self.waiting += 1
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            raise OverloadedError("too many requests were in progress; try again") from error
        finally:
            self.waiting -= 1
        self.in_progress += 1
        try:
            yield
        finally:
            self.in_progress -= 1
            self._places.release()


class LoadSheddingMiddleware:
    """Refuses what there is no room for before its body is received and parsed.

    Args:
        app: what answers the request.
        load: where there is room or not.
        paths: of the routes that need it.
    """

    def __init__(self, app: ASGIApp, *, load: LoadLimit, paths: Collection[str]) -> None:
        self._app = app
        self._load = load
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in self._paths:
            try:
                self._load.check()
            except OverloadedError as error:
                response = problem_response(error, scope)
                length = Headers(scope=scope).get("content-length", "")
                if not length.isdecimal() or int(length) > _WORTH_CLOSING_BYTES:
                    response.headers["Connection"] = "close"
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
