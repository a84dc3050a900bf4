"""The caller of a request."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """The sender of one request."""

    request_id: str
    key_id: str | None
    """Of the API key; None if no key is required."""
    client: str
    """The client that the work is counted for: an API key or, without keys, an address."""
