"""Answers to connections that are rejected before the app could answer a request."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from api.http.problems import PROBLEM_MEDIA_TYPE, problem_type


@dataclass(frozen=True)
class Rejection:
    """Why a connection ends without an answered request."""

    status: HTTPStatus
    kind: str
    """The type of the problem, as in ``api.http.errors``."""
    detail: str

    def answer(self) -> bytes:
        """Return the complete HTTP response."""
        body = json.dumps(
            {
                "type": problem_type(self.kind),
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


class RejectedError(Exception):
    """The connection is rejected and nothing more of it is parsed.

    Args:
        rejection: the answer to send.
    """

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.detail)
        self.rejection = rejection


NOT_HTTP: Final = Rejection(HTTPStatus.BAD_REQUEST, "bad-request", "Invalid HTTP request received.")
TOO_SLOW: Final = Rejection(
    HTTPStatus.REQUEST_TIMEOUT, "too-slow", "the request's head arrived too slowly"
)
TOO_MANY_CONNECTIONS: Final = Rejection(
    HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "too many connections; try again"
)
