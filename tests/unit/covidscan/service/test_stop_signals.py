"""Which signals stop a process gracefully, and that signals ignored by nohup stay ignored."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from covidscan.service.stop_signals import on_stop_signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@pytest.fixture(autouse=True)
def _default_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    # Some are ignored if nohup or a background job of a shell runs the tests.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def stops_at(number: signal.Signals) -> bool:
    """Whether a signal that this process sends to itself stops it."""
    stopped, handled = asyncio.Event(), asyncio.Event()
    on_stop_signal(stopped.set)
    # It is sent after the other signal, and so handled after it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, handled.set)
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), signal.SIGUSR1)
    await handled.wait()
    return stopped.is_set()


@pytest.mark.parametrize("number", SIGNALS)
async def test_each_stop_signal_stops_the_process(number: signal.Signals):
    assert await stops_at(number)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
async def test_a_signal_that_is_ignored_from_the_start_stays_ignored(number: signal.Signals):
    signal.signal(number, signal.SIG_IGN)
    assert not await stops_at(number)
