"""What stands in for time and for mounts that hang."""

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
    """A function that hangs, as on a mount, until the gate is opened."""

    def hanging(*arguments: object, **options: object) -> T:
        gate.wait()
        return function(*arguments, **options)

    return hanging
