"""Errors in a request itself, apart from its image."""

from collections.abc import Mapping
from typing import ClassVar


class RequestError(Exception):
    """The base of all errors in a request itself.

    Args:
        detail: what went wrong and what to change.
        headers: further headers of the response.
    """

    kind: ClassVar[str]
    """Stable and machine-readable; the last part of the problem's ``type``."""

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.headers = headers or {}


class MissingFileError(RequestError):
    """There is no file, or it is empty."""

    kind = "missing-file"


class UploadTooLargeError(RequestError):
    """More bytes or files than the limit."""

    kind = "too-large"


class TooManyUploadsError(RequestError):
    """The bodies that are being received are too large in total."""

    kind = "overloaded"
    retry_after_seconds = 1

    def __init__(self) -> None:
        super().__init__("too many uploads are in progress; try again", {"Connection": "close"})


class InvalidRequestError(RequestError):
    """The parameters or fields of the request are not valid."""

    kind = "invalid-request"


class InvalidFormError(RequestError):
    """The form cannot be parsed."""

    kind = "invalid-form"


class InvalidHostError(RequestError):
    """The request has no Host header, several, or one that is not allowed."""

    kind = "invalid-host"


class AuthenticationError(RequestError):
    """The request has no API key, or one that is not accepted."""

    kind = "unauthorized"

    def __init__(self) -> None:
        # Basic lets a browser ask for the key and send it with everything that the page loads.
        super().__init__(
            "send a valid API key as 'Authorization: Bearer KEY' or 'X-API-Key: KEY';"
            " in a browser, enter it as the password",
            {"WWW-Authenticate": 'Basic realm="covidscan"'},
        )


class CrossSiteError(RequestError):
    """A page of another site made a browser send a request with its stored password."""

    kind = "cross-site"

    def __init__(self) -> None:
        super().__init__("pages of other sites may not use the API key that the browser has stored")


class TooManyRequestsError(RequestError):
    """More requests or images than a rate limit allows.

    Args:
        limit: the limit in readable form.
        retry_after_seconds: when to try again.
    """

    kind = "too-many-requests"

    def __init__(self, limit: str, retry_after_seconds: int) -> None:
        super().__init__(f"more than the limit of {limit}; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class SlowBodyError(RequestError):
    """The body arrived too slowly."""

    kind = "too-slow"

    def __init__(self) -> None:
        super().__init__("the body arrived too slowly; send it again", {"Connection": "close"})


class ClientDisconnectedError(RequestError):
    """The client closed its connection; only the log shows this error."""

    kind = "client-disconnected"


class StoppingError(RequestError):
    """The service is stopping and cannot answer the request any more."""

    kind = "stopping"
    retry_after_seconds = 1

    def __init__(self) -> None:
        super().__init__("the service is stopping; try again", {"Connection": "close"})
