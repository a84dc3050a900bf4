"""The signals that end a process in an orderly way."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

_ALWAYS: Final = (signal.SIGINT, signal.SIGTERM)
_UNLESS_IGNORED: Final = (signal.SIGHUP, signal.SIGQUIT)
"""``nohup``, and shells that start background jobs, ignore these on purpose."""


def on_stop_signal(stop: Callable[[], None]) -> None:
    """Call ``stop`` in the running event loop at each signal that asks the process to end."""
    loop = asyncio.get_running_loop()
    for number in _ALWAYS:
        loop.add_signal_handler(number, stop)
    for number in _UNLESS_IGNORED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)
