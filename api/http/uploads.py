"""Limits for uploads: size and time while a body arrives, size and name of each parsed file."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final, TypedDict

from starlette.datastructures import UploadFile
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import (
    ClientDisconnectedError,
    InvalidRequestError,
    MissingFileError,
    SlowBodyError,
    TooManyUploadsError,
    UploadTooLargeError,
)
from api.settings import MEBIBYTE, Settings

FRAMING_BYTES: Final = 64 * 1024
"""How much multipart boundaries and headers may add to the files in a body."""

MAX_FILENAME_CHARACTERS: Final = 255

MAX_FORM_FIELDS: Final = 8
"""The fields of a form besides its files. The page's form has fewer, and the API reads none."""

MAX_FIELD_BYTES: Final = 1024
"""The longest value of such a field."""

_MIN_BYTES_PER_SECOND: Final = 16 * 1024
_CLOSE: Final = {"Connection": "close"}
"""Otherwise the server would go on receiving the rest of the body, only to discard it."""


class FormLimits(TypedDict, total=False):
    """Limits of a form, by Starlette's names."""

    max_files: int
    max_fields: int
    max_part_size: int


def form_limits(max_files: int) -> FormLimits:
    """Limits for a form with files; other fields get little room: they hold only options."""
    return {
        "max_files": max_files,
        "max_fields": MAX_FORM_FIELDS,
        "max_part_size": MAX_FIELD_BYTES,
    }


class UploadBudget:
    """Counts the bytes of all bodies that are being received or processed, per client.

    Args:
        max_bytes: for all clients together.
        max_client_bytes: for one client.
    """

    def __init__(self, max_bytes: int, max_client_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._max_client_bytes = max_client_bytes
        self._held: Counter[str] = Counter()

    @property
    def held_bytes(self) -> int:
        """The bytes of all clients together."""
        return self._held.total()

    def take(self, client: str, size_bytes: int) -> None:
        """Count bytes that a client has sent, even if they exceed the budget.

        Raises:
            TooManyUploadsError: the bodies of all clients, or of this one, are too large in total.
        """
        self._held[client] += size_bytes
        if self.held_bytes > self._max_bytes or self._held[client] > self._max_client_bytes:
            raise TooManyUploadsError

    def give_back(self, client: str, size_bytes: int) -> None:
        """Return the bytes of a body to the budget."""
        self._held[client] -= size_bytes
        if not self._held[client]:
            del self._held[client]


class BodyLimitMiddleware:
    """Stops reading a body at its limit, whatever its Content-Length says.

    Args:
        app: the wrapped ASGI application.
        budget: counts the bytes of all requests.
        default_bytes: the limit for paths that are not in ``path_bytes``.
        path_bytes: the limit of each path.
        timeout_seconds: how long a client may send nothing, or fall behind 16 KiB per second.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        budget: UploadBudget,
        default_bytes: int,
        path_bytes: Mapping[str, int],
        timeout_seconds: float,
    ) -> None:
        self._app = app
        self._budget = budget
        self._default_bytes = default_bytes
        self._path_bytes = path_bytes
        self._timeout_seconds = timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit_bytes = self._path_bytes.get(scope["path"], self._default_bytes)
        # Open paths are not authenticated, so they have no client.
        client = scope["state"].get("client", "")
        body = _Body(receive, self._budget, client, limit_bytes, self._timeout_seconds)
        try:
            await self._app(scope, body.receive, send)
        finally:
            self._budget.give_back(client, body.received_bytes)


class _Body:
    """A body that is being received."""

    def __init__(
        self,
        receive: Receive,
        budget: UploadBudget,
        client: str,
        limit_bytes: int,
        timeout_seconds: float,
    ) -> None:
        self._receive = receive
        self._budget = budget
        self._client = client
        self._limit_bytes = limit_bytes
        self._timeout_seconds = timeout_seconds
        self._deadline: float | None = None
        self._complete = False
        self.received_bytes = 0

    async def receive(self) -> Message:
        """Receive the next message and count its bytes.

        Raises:
            UploadTooLargeError: the body is larger than its limit.
            TooManyUploadsError: the bodies of all clients, or of this one, are too large in total.
            SlowBodyError: the body arrives too slowly.
            ClientDisconnectedError: the client has closed the connection.
        """
        if self._complete:
            # Only a disconnect can follow now, and it has no deadline.
            return await self._receive()
        message = await self._receive_in_time()
        if message["type"] == "http.disconnect":
            raise ClientDisconnectedError("the client has closed the connection")
        self._complete = not message.get("more_body", False)
        self._count(len(message.get("body", b"")))
        return message

    async def _receive_in_time(self) -> Message:
        loop = asyncio.get_running_loop()
        if self._deadline is None:
            self._deadline = loop.time() + self._timeout_seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise SlowBodyError from error
        earned_seconds = len(message.get("body", b"")) / _MIN_BYTES_PER_SECOND
        # Sending fast does not earn a longer pause, because an unfinished body occupies the budget.
        self._deadline = min(self._deadline + earned_seconds, loop.time() + self._timeout_seconds)
        return message

    def _count(self, size_bytes: int) -> None:
        self.received_bytes += size_bytes
        self._budget.take(self._client, size_bytes)
        if self.received_bytes > self._limit_bytes:
            raise UploadTooLargeError(
                f"the body is larger than {_mebibytes(self._limit_bytes - FRAMING_BYTES)};"
                " send a smaller file, or fewer",
                _CLOSE,
            )


async def read_upload(file: UploadFile, settings: Settings) -> bytes:
    """Read an uploaded file and close it, so that the caller holds the only copy.

    Raises:
        MissingFileError: the file is empty.
        InvalidRequestError: the file's name is too long.
        UploadTooLargeError: the file is larger than the limit.
    """
    if len(file.filename or "") > MAX_FILENAME_CHARACTERS:
        raise InvalidRequestError(
            f"the file's name has more than {MAX_FILENAME_CHARACTERS} characters; shorten it"
        )
    data = await file.read(settings.max_upload_bytes + 1)
    await file.close()
    if not data:
        raise MissingFileError("the file is empty; send an image")
    if len(data) > settings.max_upload_bytes:
        raise UploadTooLargeError(
            f"the file is larger than {_mebibytes(settings.max_upload_bytes)}; send a smaller one"
        )
    return data


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / MEBIBYTE:g} MiB"
