"""A call that hangs holds up neither who made it nor the end of the process."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from serving.deadlines import DeadlineThreads, call_with_deadline

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def hang() -> Iterator[Callable[[], bool]]:
    """A call that returns only when the test is over."""
    over = threading.Event()
    yield over.wait
    over.set()


def fail(error: BaseException) -> None:
    raise error


def test_a_call_gives_what_the_function_gives():
    assert call_with_deadline(lambda: 1, seconds=30) == 1
    for error in (OSError("disk"), TimeoutError("of its own")):
        with pytest.raises(type(error), match=str(error)):
            call_with_deadline(lambda error=error: fail(error), seconds=30)


def test_a_call_that_hangs_is_left_behind(hang: Callable[[], bool]):
    with pytest.raises(TimeoutError, match=r"no answer within 0\.01 s"):
        call_with_deadline(hang, seconds=0.01)


async def test_calls_from_an_event_loop_are_made_one_after_the_other():
    order: list[int] = []
    threads = DeadlineThreads("test", threads=1, seconds=30)
    await asyncio.gather(
        *(threads.call(lambda number=number: order.append(number)) for number in range(50))
    )
    assert order == list(range(50))


async def test_errors_come_back_to_the_event_loop():
    threads = DeadlineThreads("test", threads=1, seconds=30)
    for error in (OSError("disk"), TimeoutError("of its own")):
        with pytest.raises(type(error), match=str(error)):
            await threads.call(lambda error=error: fail(error))
    assert await threads.call(lambda: 1) == 1


async def test_where_all_threads_hang_further_calls_fail_and_start_nothing(
    hang: Callable[[], bool],
):
    threads = DeadlineThreads("hung", threads=2, seconds=0.05)
    for _ in range(6):
        with pytest.raises(TimeoutError, match="no answer within"):
            await threads.call(hang)
    assert sum(thread.name == "hung" for thread in threading.enumerate()) == 2


async def test_a_thread_that_comes_back_is_used_again():
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


def test_a_process_ends_though_a_call_hangs():
    script = """
import asyncio, threading
from serving.deadlines import DeadlineThreads, call_with_deadline

async def main():
    try:
        await DeadlineThreads("hung", threads=1, seconds=0.01).call(threading.Event().wait)
    except TimeoutError:
        print("left behind")

asyncio.run(main())
try:
    call_with_deadline(threading.Event().wait, seconds=0.01)
except TimeoutError:
    print("left behind")
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=True
    )
    assert ended.stdout == "left behind\n" * 2
