"""One more attempt where another replica of the model server, or the same one soon, may answer.

Calls go to the replicas in turn, so the second attempt usually reaches another one.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from serving.errors import ModelNotFoundError, ModelServerError, ModelServerUnavailableError

T = TypeVar("T")

_PAUSE_SECONDS: Final[dict[type[ModelServerError], tuple[float, float]]] = {
    # At random between these: callers must not come back all at once.
    ModelServerUnavailableError: (0.02, 0.1),
    # A replica that starts up and has no health service to say so. The others are there.
    ModelNotFoundError: (0, 0),
}
"""By the exact failure: its subclasses say that another attempt would not help."""


async def ask_twice(ask: Callable[[float], Awaitable[T]], *, timeout_seconds: float) -> T:
    """Ask, and once more where that may help and time is left.

    Args:
        ask: makes the call, given the seconds that are left.
        timeout_seconds: for both attempts together.

    Raises:
        ModelServerError: the last attempt failed.
    """
    deadline = time.perf_counter() + timeout_seconds
    try:
        return await ask(timeout_seconds)
    except ModelServerError as error:
        if type(error) not in _PAUSE_SECONDS:
            raise
        pause_seconds = random.uniform(*_PAUSE_SECONDS[type(error)])  # noqa: S311 - no secret
        left_seconds = deadline - time.perf_counter() - pause_seconds
        if left_seconds <= 0:
            raise
    await asyncio.sleep(pause_seconds)
    return await ask(left_seconds)
