"""Limits the size of a request's head."""

from typing import Final

from covidscan.service.http.rejection import head_too_large

PIECE_BYTES: Final = 4 * 1024
"""Heads are parsed in pieces of this size, so at most one piece is read beyond the limit."""

_MAX_BYTES: Final = 32 * 1024
_MAX_HEADERS: Final = 100


class HeadSize:
    """Measures one head, as it is received and as it is parsed.

    Received bytes count while the head goes on, because blanks are not parsed into anything. Parsed
    bytes count when the rest of the received data belongs to the body.
    """

    def __init__(self) -> None:
        self._received_bytes = 0
        self._parsed_bytes = 0
        self._headers = 0

    def receive(self, size_bytes: int) -> None:
        """Count a received piece of an unfinished head.

        Raises:
            RejectedError: the head is too large.
        """
        self._received_bytes += size_bytes
        _check(self._received_bytes)

    def parse(self, size_bytes: int) -> None:
        """Count a parsed part of the request's target.

        Raises:
            RejectedError: the head is too large.
        """
        self._parsed_bytes += size_bytes
        _check(self._parsed_bytes)

    def parse_header(self, name: bytes, value: bytes) -> None:
        r"""Count a parsed header.

        Raises:
            RejectedError: the head is too large, or has too many headers.
        """
        self.parse(len(name) + len(value) + len(": \r\n"))
        self._headers += 1
        if self._headers > _MAX_HEADERS:
            raise head_too_large(f"{_MAX_HEADERS} headers")


def _check(size_bytes: int) -> None:
    if size_bytes > _MAX_BYTES:
        raise head_too_large(f"{_MAX_BYTES} bytes")
