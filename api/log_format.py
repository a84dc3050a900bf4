"""How log lines look."""

from enum import StrEnum


class LogFormat(StrEnum):
    """``auto`` is ``console``, for people, on a terminal, and ``json`` elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"
