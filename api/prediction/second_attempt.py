"""One more attempt where the model server was not there for a moment.

It goes to another replica of the model server where there is one.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from api.prediction.deadline import Deadline
from serving.errors import ModelServerExhaustedError, ModelServerUnavailableError

T = TypeVar("T")

_PAUSE_SECONDS: Final = (0.02, 0.1)
"""Before it, at random between these: callers must not come back all at once."""


async def ask_twice(ask: Callable[[float], Awaitable[T]], *, timeout_seconds: float) -> T:
    """Ask, and once more where the model server was not there and time is left.

    Args:
        ask: makes the call, given the seconds that are left.
        timeout_seconds: for both attempts together.

    Raises:
        ModelServerError: the last attempt failed.
    """
    deadline = Deadline.after(timeout_seconds)
    try:
        return await ask(timeout_seconds)
    except ModelServerExhaustedError:
        raise
    except ModelServerUnavailableError:
        pause_seconds = random.uniform(*_PAUSE_SECONDS)  # noqa: S311 - jitter, not a secret
        left_seconds = deadline.remaining_seconds - pause_seconds
        if left_seconds <= 0:
            raise
    await asyncio.sleep(pause_seconds)
    return await ask(left_seconds)
