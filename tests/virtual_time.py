"""An event loop whose time passes only while every task waits: no test waits for a timeout."""

import asyncio
import selectors
from typing import Any, Final


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that jumps to its next timer as soon as there is nothing else to do.

    ``asyncio.sleep(seconds)`` therefore returns at once, and exactly ``seconds`` later, after every
    other task has gone as far as it can. Only for code that waits for neither threads nor sockets.

    Raises:
        RuntimeError: every task waits, and there is no timer: nothing would ever happen again.
    """

    def __init__(self) -> None:
        self._selector = _JumpingSelector()
        super().__init__(self._selector)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._selector.now


class _JumpingSelector(selectors.DefaultSelector):
    """Moves the time forward instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits for something that never happens")
        self.now += timeout
        return []


VIRTUAL_TIME: Final[tuple[str, dict[str, Any]]] = ("asyncio", {"loop_factory": VirtualTimeLoop})
"""What the fixture ``anyio_backend`` returns in a module whose tests run on virtual time."""
