"""Static files without range requests."""

from typing import Final

from starlette.datastructures import Headers
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

_IGNORED_HEADERS: Final = frozenset({b"range", b"if-range"})


class WholeFiles(StaticFiles):
    """Serves files without ranges.

    A server may ignore ``Range`` (RFC 9110, section 14.2). Starlette answers a malformed one in
    plain text, and these files are small.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = [header for header in scope["headers"] if header[0] not in _IGNORED_HEADERS]
        await super().__call__({**scope, "headers": headers}, receive, send)

    def is_not_modified(self, response_headers: Headers, request_headers: Headers) -> bool:
        """Whether the client already has the file; an invalid date is ignored."""
        try:
            return super().is_not_modified(response_headers, request_headers)
        except (ValueError, TypeError, IndexError, OverflowError):
            return False
