"""What is wrong with a request before there is an image to predict."""

from collections.abc import Mapping
from typing import ClassVar


class RequestError(Exception):
    """The base of all reasons to reject a request itself.

    Args:
        detail: what went wrong and what to change.
        headers: further headers of the answer.
    """

    kind: ClassVar[str]
    """Stable and machine-readable; the last part of the problem's ``type``."""

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.headers = headers or {}


class MissingFileError(RequestError):
    """No file was sent, or an empty one."""

    kind = "missing-file"


class UploadTooLargeError(RequestError):
    """More bytes or files than the limit."""

    kind = "too-large"


class InvalidRequestError(RequestError):
    """The request does not fit the API."""

    kind = "invalid-request"


class InvalidFormError(RequestError):
    """The form cannot be read."""

    kind = "invalid-form"


class InvalidHostError(RequestError):
    """The request names no host, several, or one that is not allowed."""

    kind = "invalid-host"


class AuthenticationError(RequestError):
    """The request has no API key, or none that is accepted."""

    kind = "unauthorized"

    def __init__(self) -> None:
        # It lets a browser ask for the key and send it with everything that the page loads.
        super().__init__(
            "send an API key that is accepted, as 'Authorization: Bearer KEY' or 'X-API-Key: KEY';"
            " in a browser it is the password",
            {"WWW-Authenticate": 'Basic realm="covidscan"'},
        )


class CrossSiteError(RequestError):
    """A browser sends a request, with the password it has stored, for a page of another site."""

    kind = "cross-site"

    def __init__(self) -> None:
        super().__init__("a page of another site may not use the key that a browser has stored")


class TooManyRequestsError(RequestError):
    """More requests or images than a rate limit allows.

    Args:
        limit: the limit, for people.
        retry_after_seconds: when to try again.
    """

    kind = "too-many-requests"

    def __init__(self, limit: str, retry_after_seconds: int) -> None:
        super().__init__(f"more than {limit}; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class SlowBodyError(RequestError):
    """The body came too slowly."""

    kind = "too-slow"

    def __init__(self) -> None:
        super().__init__("the body came too slowly; send it again", {"Connection": "close"})


class ClientDisconnectedError(RequestError):
    """The client closed its connection; only the log gets this answer."""

    kind = "client-disconnected"


class StoppingError(RequestError):
    """The service stops before the request could be answered."""

    kind = "stopping"
    retry_after_seconds = 1

    def __init__(self) -> None:
        super().__init__("the service is stopping; try again", {"Connection": "close"})
