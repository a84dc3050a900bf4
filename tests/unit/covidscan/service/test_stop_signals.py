"""Which signals end a process in order, and which one that nohup starts does not hear."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from covidscan.service.stop_signals import on_stop_signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    # Where nohup or a shell in the background runs the tests, some are ignored.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def stops_at(number: signal.Signals) -> bool:
    """Whether a signal that this process sends to itself stops it."""
    stopped, told = asyncio.Event(), asyncio.Event()
    on_stop_signal(stopped.set)
    # Handled after the other, as it comes after it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), signal.SIGUSR1)
    await told.wait()
    return stopped.is_set()


@pytest.mark.parametrize("number", SIGNALS)
async def test_each_of_them_stops_it(number: signal.Signals):
    assert await stops_at(number)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
async def test_one_that_is_ignored_from_the_start_stays_so(number: signal.Signals):
    signal.signal(number, signal.SIG_IGN)
    assert not await stops_at(number)
