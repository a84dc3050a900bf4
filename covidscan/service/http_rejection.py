"""Answers to connections that are refused before the app could answer a request."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from api.http.problems import PROBLEM_MEDIA_TYPE


@dataclass(frozen=True)
class Refusal:
    """Why a connection ends without an answered request."""

    status: HTTPStatus
    kind: str
    """The type of the problem, as in ``api.http.errors``."""
    detail: str

    def answer(self) -> bytes:
        """Return the complete HTTP response."""
        body = json.dumps(
            {
                "type": f"urn:covidscan:problem:{self.kind}",
                "title": self.status.phrase,
                "status": self.status.value,
                "detail": self.detail,
            }
        ).encode()
        retry = "retry-after: 1\r\n" if self.status is HTTPStatus.SERVICE_UNAVAILABLE else ""
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            f"content-type: {PROBLEM_MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            f"{retry}connection: close\r\n\r\n"
        )
        return head.encode() + body


class RefusedError(Exception):
    """The connection is refused and nothing more of it is parsed.

    Args:
        refusal: the answer to send.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


NOT_HTTP: Final = Refusal(HTTPStatus.BAD_REQUEST, "bad-request", "Invalid HTTP request received.")
TOO_SLOW: Final = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "too-slow", "the request's head arrived too slowly"
)
TOO_MANY_CONNECTIONS: Final = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "too many connections; try again"
)
