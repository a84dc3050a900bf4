"""Calls that may never return, such as reading from a network mount that hangs, with a deadline.

They run in daemon threads: a process that ends waits for no such thread, as it would for those of
``ThreadPoolExecutor`` and ``asyncio.to_thread``.
"""

import asyncio
import errno
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def call_with_deadline(function: Callable[[], T], *, seconds: float) -> T:
    """Call a function and wait for what it returns.

    Raises:
        TimeoutError: it has not returned in time; it goes on in its thread.
    """
    future = _start(function, "deadline")
    try:
        return future.result(seconds)
    except TimeoutError as error:
        if future.done():
            raise
        raise _too_late(seconds) from error


class DeadlineThreads:
    """Calls functions from an event loop, each in a daemon thread, in the order of the calls.

    A call that hangs keeps its thread for as long as it hangs. Where all threads hang, further
    calls fail at their deadline and start nothing.

    Args:
        name: of the threads.
        threads: calls at the same time.
        seconds: the deadline of a call, waiting for a thread included.
    """

    def __init__(self, name: str, *, threads: int, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._free = asyncio.Semaphore(threads)

    async def call(self, function: Callable[[], T]) -> T:
        """Call a function and wait for what it returns.

        Raises:
            TimeoutError: it has not returned in time; it goes on in its thread.
        """
        loop = asyncio.get_running_loop()
        deadline = asyncio.timeout(self._seconds)
        try:
            async with deadline:
                await self._free.acquire()
                future = self._begin(function)
                future.add_done_callback(lambda _: self._release(loop))
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise _too_late(self._seconds) from error

    def _begin(self, function: Callable[[], T]) -> "Future[T]":
        try:
            return _start(function, self._name)
        except RuntimeError:
            # No thread to be had, for the moment.
            self._free.release()
            raise

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        # A call that comes back after the end finds its event loop closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._free.release)


def _start(function: Callable[[], T], name: str) -> "Future[T]":
    future: Future[T] = Future()
    # From now on nobody can cancel it: who waits for it may leave, the call goes on.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - raised again where the call was made
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _too_late(seconds: float) -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, f"no answer within {seconds:g} s")
