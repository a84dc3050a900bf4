"""Who asks, and in which request."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """The caller of one request."""

    request_id: str
    key_id: str | None
    """Of the API key that was shown; null where none is needed."""
    client: str
    """Whom the work is counted for: an API key or, where there are none, an address."""
