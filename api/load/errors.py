"""There is no room for a request."""

from typing import ClassVar


class OverloadedError(Exception):
    """More requests than are in progress or may wait."""

    kind: ClassVar[str] = "overloaded"
    retry_after_seconds: ClassVar[int] = 1
