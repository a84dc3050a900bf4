"""The error for too much load."""

from typing import ClassVar


class OverloadedError(Exception):
    """Too many requests are in progress or waiting."""

    kind: ClassVar[str] = "overloaded"
    retry_after_seconds: ClassVar[int] = 1
