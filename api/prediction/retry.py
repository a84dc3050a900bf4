"""Retries a call once if the model server is unavailable for a moment.

The retry goes to another replica of the model server, if there is one.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from api.prediction.deadline import Deadline
from serving.errors import ModelServerExhaustedError, ModelServerUnavailableError

T = TypeVar("T")

_PAUSE_SECONDS: Final = (0.02, 0.1)
"""The range of the random pause before the retry, so that callers do not retry all at once."""


async def with_one_retry(ask: Callable[[float], Awaitable[T]], *, timeout_seconds: float) -> T:
    """Call, and retry once if the model server is unavailable and time is left.

    Args:
        ask: makes the call; takes the seconds that are left.
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
