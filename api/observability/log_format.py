"""How log lines look, and all that they may say."""

from enum import StrEnum
from typing import Final

LOGGED_FIELDS: Final = frozenset(
    {
        *("method", "route", "status", "duration_seconds", "received_bytes", "sent_bytes"),
        *("key_id", "problem", "versions", "client", "reason"),
        "suppressed",
    }
)
"""Of a line about a request, and how often a line was left out; nothing else gets into the log."""


class LogFormat(StrEnum):
    """``auto`` is ``console``, for people, on a terminal, and ``json`` elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"
