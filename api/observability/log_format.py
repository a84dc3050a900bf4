"""The format of the log, and the fields that it may contain."""

from enum import StrEnum
from typing import Final

LOGGED_FIELDS: Final = frozenset(
    {
        *("method", "route", "status", "duration_seconds", "received_bytes", "sent_bytes"),
        *("key_id", "problem", "versions", "client", "reason"),
        "suppressed",
    }
)
"""The fields of a request's log line, and the number of suppressed lines. No other field is
logged."""


class LogFormat(StrEnum):
    """``console`` is for people; ``auto`` is ``console`` on a terminal and ``json`` elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"
