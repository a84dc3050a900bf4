"""``--grpc_channel_arguments``, as TensorFlow Serving has it."""

import re
from typing import Final

BOUNDED_AGE: Final = "grpc.max_connection_age_ms=30000,grpc.max_connection_age_grace_ms=60000"
"""gRPC's clients look a name up again only when a connection ends. Without a bound most would never
find replicas that are added. The grace period lets calls in flight finish."""

_LARGEST: Final = 2**31 - 1
"""gRPC's numbers have 32 bits."""


def parse_channel_arguments(text: str) -> dict[str, int | str]:
    """Read ``name=value,name=value``; values that are whole numbers become numbers.

    Raises:
        ValueError: a part is not such a pair, is there twice, or has a number that is too large.
    """
    arguments: dict[str, int | str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not name or not equals or not value:
            raise ValueError(f"{part!r} is not name=value")
        if name in arguments:
            raise ValueError(f"{name} is there twice")
        arguments[name] = _number_or_text(value)
    return arguments


def _number_or_text(value: str) -> int | str:
    if not re.fullmatch("-?[0-9]+", value):
        return value
    number = int(value)
    if abs(number) > _LARGEST:
        raise ValueError(f"{value} is larger than {_LARGEST}")
    return number
