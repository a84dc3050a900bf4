"""The signals that ask a process to end."""

import signal
from typing import Final

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""On Ctrl-C, from a service manager, when a terminal is closed, and on Ctrl and backslash."""


def ignore_stop_signals() -> None:
    """Make this process ignore them: only its parent ends it."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
