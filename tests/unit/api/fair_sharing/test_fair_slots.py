"""Slots are shared fairly: a client with many requests delays only its own requests."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from api.fair_sharing.client_activity import ACTIVE_SECONDS, ClientActivity
from api.fair_sharing.errors import OverloadedError
from api.fair_sharing.fair_slots import FairSlots
from tests.stand_ins import Clock
from tests.virtual_time import VIRTUAL_TIME


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return VIRTUAL_TIME


async def settle() -> None:
    """Let every task run until it waits."""
    await asyncio.sleep(0.001)


async def request_slots(slots: FairSlots, *clients: str) -> list[asyncio.Task[None]]:
    """Request a slot for each of the clients, in this order."""
    tasks = [asyncio.create_task(slots.acquire(client)) for client in clients]
    await settle()
    return tasks


async def test_a_single_client_may_hold_all_slots():
    slots = FairSlots(4, max_per_busy_client=1, activity=ClientActivity())
    tasks = await request_slots(slots, *["busy"] * 6)
    assert [task.done() for task in tasks] == [True] * 4 + [False] * 2
    assert (slots.in_progress, slots.waiting) == (4, 2)


async def test_a_single_client_can_be_limited_to_fewer_than_all_slots():
    slots = FairSlots(3, max_per_client=2, max_per_busy_client=1, activity=ClientActivity())
    busy = await request_slots(slots, *["busy"] * 3)
    assert [task.done() for task in busy] == [True, True, False]
    (newcomer,) = await request_slots(slots, "newcomer")
    assert newcomer.done(), "a free slot is granted at once"


async def test_a_new_client_gets_the_next_slot_before_the_queue_of_a_busy_client():
    slots = FairSlots(2, max_per_busy_client=2, activity=ClientActivity())
    await request_slots(slots, *["busy"] * 20)
    (other,) = await request_slots(slots, "other")
    assert not other.done()
    slots.release("busy")
    await settle()
    assert other.done()


async def test_a_client_leaves_slots_free_while_another_client_is_active():
    clock = Clock()
    slots = FairSlots(4, max_per_busy_client=3, activity=ClientActivity(clock))
    await request_slots(slots, "other")
    slots.release("other")
    busy = await request_slots(slots, *["busy"] * 5)
    assert sum(task.done() for task in busy) == 3
    (other,) = await request_slots(slots, "other")
    assert other.done(), "a slot was kept free for it"
    slots.release("other")
    clock.now += ACTIVE_SECONDS + 1
    slots.release("busy")
    await settle()
    assert sum(task.done() for task in busy) == 5, "the other client is no longer active"


async def test_the_client_with_fewer_slots_is_not_limited_to_its_share():
    clock = Clock()
    slots = FairSlots(8, max_per_busy_client=2, activity=ClientActivity(clock))
    await request_slots(slots, "other")
    busy = await request_slots(slots, *["busy"] * 4)
    assert sum(task.done() for task in busy) == 2
    clock.now += 1
    # It has been granted one slot, and the busy client two.
    other = await request_slots(slots, *["other"] * 1)
    assert all(task.done() for task in other)
    assert slots.in_progress == 4


async def test_activity_on_other_slots_counts():
    activity = ClientActivity(Clock())
    models = FairSlots(8, max_per_busy_client=8, activity=activity)
    variants = FairSlots(8, max_per_busy_client=1, activity=activity)
    await request_slots(models, "other")
    busy = await request_slots(variants, *["busy"] * 3)
    assert sum(task.done() for task in busy) == 2, "limited only once it has more grants"
    assert variants.is_restricted("busy")
    assert not variants.is_restricted("other")


async def test_clients_that_want_more_slots_than_there_are_get_equal_shares():
    slots = FairSlots(3, max_per_busy_client=3, activity=ClientActivity())
    got: list[str] = []

    async def work(client: str) -> None:
        async with slots.hold(client, timeout_seconds=5):
            got.append(client)
            await settle()

    demand = ["a"] * 60 + ["b"] * 60 + ["c"] * 60
    tasks = [asyncio.create_task(work(client)) for client in demand]
    await asyncio.gather(*tasks)
    shares = Counter(got[:60])
    assert max(shares.values()) - min(shares[client] for client in "abc") <= 3
    assert (slots.in_progress, slots.waiting) == (0, 0)


async def test_a_full_queue_rejects_the_client_with_the_most_waiting_requests():
    slots = FairSlots(1, max_per_busy_client=1, activity=ClientActivity(), max_waiting=3)
    busy = await request_slots(slots, *["busy"] * 4)
    with pytest.raises(OverloadedError):
        slots.check("busy")
    with pytest.raises(OverloadedError):
        await slots.acquire("busy")
    slots.check("other")
    (other,) = await request_slots(slots, "other")
    assert not other.done()
    assert slots.waiting == 3
    assert [task.done() for task in busy] == [True, False, False, True]
    with pytest.raises(OverloadedError):
        await busy[3]
    slots.release("busy")
    await settle()
    assert other.done()


@pytest.mark.parametrize("waits", [True, False])
async def test_a_cancelled_request_frees_its_slot_or_its_position_in_the_queue(*, waits: bool):
    slots = FairSlots(1, max_per_busy_client=1, activity=ClientActivity(), max_waiting=1)
    first, second = await request_slots(slots, "a", "b")
    assert first.done()
    if waits:
        second.cancel()
    else:
        slots.release("a")
        # It has been granted the slot, but is cancelled before its task runs.
        second.cancel()
    await settle()
    if waits:
        assert (slots.in_progress, slots.waiting) == (1, 0)
        slots.release("a")
    assert (slots.in_progress, slots.waiting) == (0, 0)
    (last,) = await request_slots(slots, "c")
    assert last.done()


async def test_a_slot_that_is_freed_during_a_cancellation_goes_to_the_next_request():
    slots = FairSlots(1, max_per_busy_client=1, activity=ClientActivity(), max_waiting=2)
    _, second, third = await request_slots(slots, "a", "b", "c")
    second.cancel()
    slots.release("a")
    await settle()
    assert third.done()
    assert (slots.in_progress, slots.waiting) == (1, 0)


async def test_a_request_that_waits_too_long_is_rejected_and_leaves_the_queue():
    slots = FairSlots(1, max_per_busy_client=1, activity=ClientActivity(), max_waiting=1)
    await request_slots(slots, "a")
    for _ in range(3):
        with pytest.raises(OverloadedError):
            async with slots.hold("b", timeout_seconds=1):
                pytest.fail("no slot was free")
    assert slots.waiting == 0
