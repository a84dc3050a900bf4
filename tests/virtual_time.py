"""An event loop with virtual time, so that tests of timeouts do not take that long."""

import asyncio
import selectors
from typing import Any, Final


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that jumps to its next timer as soon as there is nothing else to do.

    So ``asyncio.sleep(seconds)`` takes no real time, but exactly ``seconds`` of virtual time, and
    returns after every other task has run as far as it can. It is only for code that does not wait
    for threads or sockets.

    Raises:
        RuntimeError: every task waits and there is no timer, so nothing can ever happen.
    """

    def __init__(self) -> None:
        self._selector = _JumpingSelector()
        super().__init__(self._selector)

    def time(self) -> float:
        """Return the virtual seconds since the loop was created."""
        return self._selector.now


class _JumpingSelector(selectors.DefaultSelector):
    """Advances the virtual time instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("every task waits, and there is no timer")
        self.now += timeout
        return []


VIRTUAL_TIME: Final[tuple[str, dict[str, Any]]] = ("asyncio", {"loop_factory": VirtualTimeLoop})
"""The value of the fixture ``anyio_backend`` in a module whose tests run in virtual time."""
