"""Uploads, bounded: bodies are counted while they stream in, files again once they are parsed."""

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import UploadFile
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import MissingFileError, UploadTooLargeError
from api.settings import MEBIBYTE, Settings

FRAMING_BYTES: Final = 64 * 1024
"""What multipart boundaries and headers may add to the files of a body."""


class BodyLimitMiddleware:
    """Stops reading a body at its limit, whatever its Content-Length claims.

    Args:
        app: what answers the request.
        default_bytes: the limit of every path that is not named.
        path_bytes: limits by path.
    """

    def __init__(self, app: ASGIApp, *, default_bytes: int, path_bytes: Mapping[str, int]) -> None:
        self._app = app
        self._default_bytes = default_bytes
        self._path_bytes = path_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._path_bytes.get(scope["path"], self._default_bytes)
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise UploadTooLargeError(
                    f"the body is larger than {_mebibytes(limit - FRAMING_BYTES)};"
                    " send a smaller file, or fewer",
                    # Otherwise the server would go on to receive, and discard, all the rest.
                    {"Connection": "close"},
                )
            return message

        await self._app(scope, receive_counted, send)


async def read_upload(file: UploadFile, settings: Settings) -> bytes:
    """Read an uploaded file.

    Raises:
        MissingFileError: it is empty.
        UploadTooLargeError: it is larger than the limit.
    """
    data = await file.read(settings.max_upload_bytes + 1)
    if not data:
        raise MissingFileError("the file is empty; send an image")
    if len(data) > settings.max_upload_bytes:
        raise UploadTooLargeError(
            f"the file is larger than {_mebibytes(settings.max_upload_bytes)}; send a smaller one"
        )
    return data


def _mebibytes(size_bytes: int) -> str:
    return f"{size_bytes / MEBIBYTE:g} MiB"
