"""Deadlines for calls that may never return, such as reads from a hanging network mount.

The calls run in daemon threads. A process does not wait for these at exit, unlike the threads of
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
    """Call a function and return its result.

    Raises:
        TimeoutError: it did not return in time; it continues in its thread.
    """
    future = _start(function, "deadline")
    try:
        return future.result(seconds)
    except TimeoutError as error:
        if future.done():
            raise
        raise _timeout_error(seconds) from error


class DeadlineThreads:
    """Calls functions from an event loop, each in a daemon thread, in the order of the calls.

    A hanging call keeps its thread. If all threads hang, further calls fail at their deadline
    without being started.

    Args:
        name: of the threads.
        threads: the number of concurrent calls.
        seconds: the deadline of a call, including the wait for a thread.
    """

    def __init__(self, name: str, *, threads: int, seconds: float) -> None:
        self._name = name
        self._seconds = seconds
        self._free = asyncio.Semaphore(threads)

    async def call(self, function: Callable[[], T]) -> T:
        """Call a function and return its result.

        Raises:
            TimeoutError: it did not return in time; it continues in its thread.
        """
        loop = asyncio.get_running_loop()
        deadline = asyncio.timeout(self._seconds)
        try:
            async with deadline:
                await self._free.acquire()
                future = self._start_call(function)
                future.add_done_callback(lambda _: self._release(loop))
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise _timeout_error(self._seconds) from error

    def _start_call(self, function: Callable[[], T]) -> "Future[T]":
        try:
            return _start(function, self._name)
        except RuntimeError:
            # No thread could be started.
            self._free.release()
            raise

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        # The event loop may be closed by the time a late call returns.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._free.release)


def _start(function: Callable[[], T], name: str) -> "Future[T]":
    future: Future[T] = Future()
    # Makes the future uncancellable: callers may stop waiting, but the call continues.
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _timeout_error(seconds: float) -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, f"no answer within {seconds:g} s")
