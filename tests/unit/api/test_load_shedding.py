"""A bounded number in progress, a bounded number waiting, and the rest refused at once."""

import asyncio
import time

import pytest

from api.errors import OverloadedError
from api.load_shedding import LoadLimit


async def hold(limit: LoadLimit, until: asyncio.Event, *, timeout_seconds: float = 5) -> str:
    async with limit.place(timeout_seconds=timeout_seconds):
        await until.wait()
    return "done"


def test_beyond_progress_and_queue_all_are_refused_at_once():
    async def main() -> None:
        limit, until = LoadLimit(in_progress=2, waiting=3), asyncio.Event()
        tasks = [asyncio.create_task(hold(limit, until)) for _ in range(5)]
        await asyncio.sleep(0.01)
        for _ in range(10):
            started = time.monotonic()
            with pytest.raises(OverloadedError):
                await hold(limit, until)
            assert time.monotonic() - started < 1
        until.set()
        assert await asyncio.gather(*tasks) == ["done"] * 5
        assert await hold(limit, until) == "done", "what has ended makes room"

    asyncio.run(main())


def test_who_waits_too_long_is_refused_and_leaves_its_place_in_the_queue():
    async def main() -> None:
        limit, until = LoadLimit(in_progress=1, waiting=1), asyncio.Event()
        first = asyncio.create_task(hold(limit, until))
        await asyncio.sleep(0.01)
        for _ in range(3):
            with pytest.raises(OverloadedError):
                await hold(limit, until, timeout_seconds=0.01)
        until.set()
        assert await first == "done"
        assert await hold(limit, until) == "done"

    asyncio.run(main())


@pytest.mark.parametrize("gone", ["in progress", "waiting"])
def test_who_gives_up_makes_room(gone: str):
    async def main() -> None:
        limit, never, until = LoadLimit(in_progress=1, waiting=1), asyncio.Event(), asyncio.Event()
        until.set()
        tasks = [asyncio.create_task(hold(limit, never)) for _ in range(2)]
        await asyncio.sleep(0.01)
        tasks[0 if gone == "in progress" else 1].cancel()
        await asyncio.sleep(0.01)
        last = asyncio.create_task(hold(limit, until))
        await asyncio.sleep(0.01)
        tasks[0].cancel()
        never.set()
        assert await last == "done"

    asyncio.run(main())
