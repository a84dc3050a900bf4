"""Answers to connections that are rejected before the app could answer a request.

There is no request yet, so these problems lack ``instance``, ``request_id`` and ``reasons``, which
all others have. Kinds and titles are those of ``api.http``.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from api.fair_sharing.errors import OverloadedError
from api.http.errors import RequestError, SlowBodyError, UploadTooLargeError
from api.http.problem_table import PROBLEM_KINDS
from api.http.problems import PROBLEM_MEDIA_TYPE, problem_type


@dataclass(frozen=True)
class Rejection:
    """Why a connection ends without an answered request."""

    status: HTTPStatus
    kind: str
    """The last part of the problem's type."""
    title: str
    detail: str

    def answer(self) -> bytes:
        """Return the complete HTTP response."""
        body = json.dumps(
            {
                "type": problem_type(self.kind),
                "title": self.title,
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


NOT_HTTP: Final = Rejection(
    HTTPStatus.BAD_REQUEST,
    "bad-request",
    PROBLEM_KINDS[RequestError].title,
    "the request is not valid HTTP",
)
TOO_SLOW: Final = Rejection(
    HTTPStatus.REQUEST_TIMEOUT,
    SlowBodyError.kind,
    PROBLEM_KINDS[SlowBodyError].title,
    "the request's head arrived too slowly",
)
TOO_MANY_CONNECTIONS: Final = Rejection(
    HTTPStatus.SERVICE_UNAVAILABLE,
    OverloadedError.kind,
    PROBLEM_KINDS[OverloadedError].title,
    "too many connections; try again",
)


def head_too_large(limit: str) -> RejectedError:
    """Return the error for a head that is larger than a limit, such as ``100 headers``."""
    return RejectedError(
        Rejection(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            UploadTooLargeError.kind,
            PROBLEM_KINDS[UploadTooLargeError].title,
            f"the request's head has more than {limit}",
        )
    )
