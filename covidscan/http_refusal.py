"""Refusals before there is a request that the app could answer."""

import json
from http import HTTPStatus

from api.problems import PROBLEM_MEDIA_TYPE


class Refusal(Exception):  # noqa: N818 - an answer, raised where parsing must stop
    """Why a connection ends without a request being answered.

    Args:
        status: of the answer.
        kind: of the problem, as in ``api.errors``.
        detail: what is wrong.
    """

    def __init__(self, status: HTTPStatus, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self._kind = kind
        self._detail = detail

    def answer(self) -> bytes:
        """The whole answer as it is sent."""
        body = json.dumps(
            {
                "type": f"urn:covidscan:problem:{self._kind}",
                "title": self.status.phrase,
                "status": self.status.value,
                "detail": self._detail,
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


NOT_HTTP = Refusal(HTTPStatus.BAD_REQUEST, "bad-request", "Invalid HTTP request received.")
TOO_SLOW = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "too-slow", "the head of the request came too slowly"
)
TOO_MANY_CONNECTIONS = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "too many connections; try again"
)


def head_too_large(limit: str) -> Refusal:
    """Of a head that is larger than a limit, such as ``100 headers``."""
    return Refusal(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "too-large",
        f"the head of the request has more than {limit}",
    )
