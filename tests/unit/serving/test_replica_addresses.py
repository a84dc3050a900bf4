"""A name is looked up again from time to time, and never loses its replicas to a failure."""

import asyncio
from collections.abc import Sequence

import pytest

from serving.errors import ModelDeadlineError, ModelServerUnavailableError
from serving.replica_addresses import ReplicaAddresses
from tests.stand_ins import Clock


class Names:
    """Looks a name up; counts how often."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: Sequence[str] = addresses
        self.asked: list[tuple[str, int]] = []

    async def resolve(self, name: str, port: int) -> Sequence[str]:
        self.asked.append((name, port))
        if not self.addresses:
            raise OSError("no such name")
        return self.addresses


async def settled(addresses: ReplicaAddresses) -> Sequence[str]:
    """What is known once a look-up in progress has ended."""
    await addresses.get(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return await addresses.get(1)


@pytest.mark.parametrize(
    ("target", "known"),
    [
        ("unix:/run/s", ["unix:/run/s"]),
        ("ipv4:127.0.0.1:1,127.0.0.2:2", ["ipv4:127.0.0.1:1", "ipv4:127.0.0.2:2"]),
        ("ipv6:[::1]:1,[::2]:1", ["ipv6:[::1]:1", "ipv6:[::2]:1"]),
        ("dns://10.0.0.1/name:8500", ["dns://10.0.0.1/name:8500"]),
        ("name", ["name"]),
        ("127.0.0.1:8500", ["ipv4:127.0.0.1:8500"]),
    ],
)
async def test_what_is_no_name_is_not_looked_up(target: str, known: list[str]):
    names = Names("a")
    addresses = ReplicaAddresses(target, resolve=names.resolve)
    assert await addresses.get(1) == known
    assert (names.asked, addresses.host) == ([], None)


@pytest.mark.parametrize("target", ["name:8500", "dns:name:8500", "dns:///name:8500"])
async def test_a_name_is_looked_up_every_ten_seconds(target: str):
    names, clock = Names("a"), Clock()
    addresses = ReplicaAddresses(target, resolve=names.resolve, clock=clock)
    assert await settled(addresses) == ("a",)
    names.addresses = ("a", "b")
    clock.now = 9
    assert await settled(addresses) == ("a",)
    clock.now = 10
    assert await settled(addresses) == ("a", "b")
    assert names.asked == [("name", 8500)] * 2
    assert addresses.host == "name:8500"


async def test_it_is_looked_up_soon_after_a_replica_was_lost():
    names, clock = Names("a"), Clock()
    addresses = ReplicaAddresses("name:1", resolve=names.resolve, clock=clock)
    await settled(addresses)
    names.addresses = ("b",)
    addresses.look_again()
    assert await settled(addresses) == ("a",)
    clock.now = 1
    assert await settled(addresses) == ("b",)


async def test_a_look_up_that_fails_leaves_the_replicas_that_are_known():
    names, clock = Names("a"), Clock()
    addresses = ReplicaAddresses("name:1", resolve=names.resolve, clock=clock)
    await settled(addresses)
    names.addresses, clock.now = (), 10
    assert await settled(addresses) == ("a",)
    names.addresses, clock.now = ("b",), 11
    assert await settled(addresses) == ("b",)


async def test_a_name_without_any_address_is_unavailable():
    addresses = ReplicaAddresses("name:1", resolve=Names().resolve, clock=Clock())
    with pytest.raises(ModelServerUnavailableError, match="name:1 has no address"):
        await addresses.get(1)


async def test_a_look_up_that_hangs_is_a_late_answer():
    async def hang(_name: str, _port: int) -> Sequence[str]:
        return await asyncio.Future()

    addresses = ReplicaAddresses("name:1", resolve=hang)
    with pytest.raises(ModelDeadlineError):
        await addresses.get(0.01)
    await addresses.close()
