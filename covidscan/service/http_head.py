"""How large the head of a request may be."""

from http import HTTPStatus
from typing import Final

from covidscan.service.http_refusal import Refusal, RefusedError

PIECE_BYTES: Final = 4 * 1024
"""A head is parsed in pieces of this size, so that no more than one is read beyond the limit."""

_MAX_BYTES: Final = 32 * 1024
_MAX_HEADERS: Final = 100


class HeadSize:
    """Counts one head, as it is parsed and as it comes in.

    What was received counts as long as the head goes on: blanks are not parsed into anything. What
    was parsed counts where the rest of what was received is a body.
    """

    def __init__(self) -> None:
        self._received_bytes = 0
        self._parsed_bytes = 0
        self._headers = 0

    def receive(self, size_bytes: int) -> None:
        """A piece has come in, and the head goes on.

        Raises:
            RefusedError: it is too large.
        """
        self._received_bytes += size_bytes
        _check(self._received_bytes)

    def parse(self, size_bytes: int) -> None:
        """Some of the request's target was parsed.

        Raises:
            RefusedError: the head is too large.
        """
        self._parsed_bytes += size_bytes
        _check(self._parsed_bytes)

    def parse_header(self, name: bytes, value: bytes) -> None:
        r"""A header was parsed.

        Raises:
            RefusedError: the head is too large, or has too many headers.
        """
        self.parse(len(name) + len(value) + len(": \r\n"))
        self._headers += 1
        if self._headers > _MAX_HEADERS:
            raise _too_large(f"{_MAX_HEADERS} headers")


def _check(size_bytes: int) -> None:
    if size_bytes > _MAX_BYTES:
        raise _too_large(f"{_MAX_BYTES} bytes")


def _too_large(limit: str) -> RefusedError:
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    detail = f"the head of the request has more than {limit}"
    return RefusedError(Refusal(status, "too-large", detail))
