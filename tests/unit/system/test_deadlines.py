"""A call that hangs blocks neither its caller nor the end of the process."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from system.deadlines import DeadlineThreads, call_with_deadline

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def hang() -> Iterator[Callable[[], bool]]:
    """A call that returns only when the test ends."""
    test_ended = threading.Event()
    yield test_ended.wait
    test_ended.set()


def fail(error: BaseException) -> None:
    raise error


def test_a_call_returns_or_raises_what_the_function_does():
    assert call_with_deadline(lambda: 1, seconds=30) == 1
    for error in (OSError("disk"), TimeoutError("of its own")):
        with pytest.raises(type(error), match=str(error)):
            call_with_deadline(lambda error=error: fail(error), seconds=30)


def test_a_hanging_call_raises_a_timeout_error(hang: Callable[[], bool]):
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 s"):
        call_with_deadline(hang, seconds=0.01)


async def test_calls_from_an_event_loop_run_in_order_on_one_thread():
    order: list[int] = []
    threads = DeadlineThreads("test", threads=1, seconds=30)
    await asyncio.gather(
        *(threads.call(lambda number=number: order.append(number)) for number in range(50))
    )
    assert order == list(range(50))


async def test_errors_are_raised_in_the_event_loop():
    threads = DeadlineThreads("test", threads=1, seconds=30)
    for error in (OSError("disk"), TimeoutError("of its own")):
        with pytest.raises(type(error), match=str(error)):
            await threads.call(lambda error=error: fail(error))
    assert await threads.call(lambda: 1) == 1


async def test_further_calls_time_out_and_start_no_thread_if_all_threads_hang(
    hang: Callable[[], bool],
):
    threads = DeadlineThreads("hung", threads=2, seconds=0.05)
    for _ in range(6):
        with pytest.raises(TimeoutError, match="no answer within"):
            await threads.call(hang)
    assert sum(thread.name == "hung" for thread in threading.enumerate()) == 2


async def test_a_thread_is_reused_once_its_hanging_call_returns():
    threads = DeadlineThreads("test", threads=1, seconds=0.05)
    gate = threading.Event()
    with pytest.raises(TimeoutError):
        await threads.call(gate.wait)
    gate.set()
    async with asyncio.timeout(30):
        while True:
            try:
                assert await threads.call(lambda: 1) == 1
            except TimeoutError:
                continue
            return


def test_a_process_exits_while_calls_hang():
    script = """
import asyncio, threading
from system.deadlines import DeadlineThreads, call_with_deadline

async def main():
    try:
        await DeadlineThreads("hung", threads=1, seconds=0.01).call(threading.Event().wait)
    except TimeoutError:
        print("timed out")

asyncio.run(main())
try:
    call_with_deadline(threading.Event().wait, seconds=0.01)
except TimeoutError:
    print("timed out")
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=True
    )
    assert ended.stdout == "timed out\n" * 2
