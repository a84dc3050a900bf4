"""Handles the signals that ask a process to end."""

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from system.signals import STOP_SIGNALS

_MAY_BE_IGNORED: Final = frozenset({signal.SIGHUP, signal.SIGQUIT})
"""``nohup``, and shells that start background jobs, ignore these on purpose."""


def on_stop_signal(stop: Callable[[], None]) -> None:
    """Call ``stop`` in the running event loop at each signal that asks the process to end."""
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        if number in _MAY_BE_IGNORED and signal.getsignal(number) is signal.SIG_IGN:
            continue
        loop.add_signal_handler(number, stop)
