"""Logs a repeated warning once a second, with the number of suppressed lines."""

import logging
import time
from collections.abc import Callable
from typing import Final

_SECONDS: Final = 1.0
_MAX_KINDS: Final = 256
"""Limit on the kinds kept apart: other libraries may put what a client sends into a line's text."""


class RepeatedLinesFilter(logging.Filter):
    """Passes one warning or error of each kind per second.

    A kind is a logger, a message without its arguments, and the type of the exception. A line that
    passes has ``suppressed``, the number of lines of its kind that were dropped before it.

    Args:
        now: returns the time, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._kinds: dict[tuple[str, str, type | None], tuple[float, int]] = {}
        """When a line of the kind last passed, and how many were dropped since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a line."""
        if record.levelno < logging.WARNING:
            return True
        exception = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
        kind = (record.name, str(record.msg), exception)
        now = self._now()
        logged, suppressed = self._kinds.get(kind, (-_SECONDS, 0))
        if now - logged < _SECONDS:
            self._kinds[kind] = (logged, suppressed + 1)
            return False
        if suppressed:
            record.suppressed = suppressed
        if len(self._kinds) >= _MAX_KINDS:
            self._kinds.clear()
        self._kinds[kind] = (now, 0)
        return True
