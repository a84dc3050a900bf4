"""Parses ``--grpc_channel_arguments``, in TensorFlow Serving's format."""

import re
from typing import Final

BOUNDED_AGE: Final = "grpc.max_connection_age_ms=30000,grpc.max_connection_age_grace_ms=60000"
"""gRPC clients resolve a name again only when a connection ends. Without a maximum age, most
clients would never find added replicas. The grace period lets calls in flight finish."""

_LARGEST: Final = 2**31 - 1
"""gRPC integers have 32 bits."""


def parse_channel_arguments(text: str) -> dict[str, int | str]:
    """Parse ``name=value,name=value``. Values that are integers become ``int``.

    Raises:
        ValueError: a part is not a pair, a name is repeated, or a number is too large.
    """
    arguments: dict[str, int | str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not name or not equals or not value:
            raise ValueError(f"{part!r} is not name=value")
        if name in arguments:
            raise ValueError(f"{name} is given twice")
        arguments[name] = _number_or_text(value)
    return arguments


def _number_or_text(value: str) -> int | str:
    if not re.fullmatch("-?[0-9]+", value):
        return value
    number = int(value)
    if abs(number) > _LARGEST:
        raise ValueError(f"{value} is larger than {_LARGEST}")
    return number
