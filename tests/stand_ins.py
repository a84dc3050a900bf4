"""Test doubles for the clock and for mounts that hang."""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def behind(gate: threading.Event, function: Callable[..., T]) -> Callable[..., T]:
    """Make a function hang, as on a dead mount, until the event is set."""

    def hanging(*arguments: object, **options: object) -> T:
        gate.wait()
        return function(*arguments, **options)

    return hanging
