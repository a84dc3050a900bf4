"""Names are looked up periodically, and a failed look-up never discards known replicas."""

import asyncio
from collections.abc import Sequence

import pytest

from serving.errors import ModelDeadlineError, ModelServerUnavailableError
from serving.replica_addresses import ReplicaAddresses
from tests.stand_ins import Clock


class Resolver:
    """Resolves every name to the same addresses, and records its look-ups."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: Sequence[str] = addresses
        self.lookups: list[tuple[str, int]] = []

    async def resolve(self, name: str, port: int) -> Sequence[str]:
        self.lookups.append((name, port))
        if not self.addresses:
            raise OSError("no such name")
        return self.addresses


async def settled(addresses: ReplicaAddresses) -> Sequence[str]:
    """The known addresses once a look-up in progress has ended."""
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
async def test_a_target_other_than_a_name_with_a_port_is_not_looked_up(
    target: str, known: list[str]
):
    resolver = Resolver("a")
    addresses = ReplicaAddresses(target, resolve=resolver.resolve)
    assert await addresses.get(1) == known
    assert (resolver.lookups, addresses.host) == ([], None)


@pytest.mark.parametrize("target", ["name:8500", "dns:name:8500", "dns:///name:8500"])
async def test_a_name_is_looked_up_every_ten_seconds(target: str):
    resolver, clock = Resolver("a"), Clock()
    addresses = ReplicaAddresses(target, resolve=resolver.resolve, clock=clock)
    assert await settled(addresses) == ("a",)
    resolver.addresses = ("a", "b")
    clock.now = 9
    assert await settled(addresses) == ("a",)
    clock.now = 10
    assert await settled(addresses) == ("a", "b")
    assert resolver.lookups == [("name", 8500)] * 2
    assert addresses.host == "name:8500"


async def test_a_name_is_looked_up_a_second_after_a_replica_is_lost():
    resolver, clock = Resolver("a"), Clock()
    addresses = ReplicaAddresses("name:1", resolve=resolver.resolve, clock=clock)
    await settled(addresses)
    resolver.addresses = ("b",)
    addresses.refresh_soon()
    assert await settled(addresses) == ("a",)
    clock.now = 1
    assert await settled(addresses) == ("b",)


async def test_a_failed_look_up_keeps_the_known_replicas():
    resolver, clock = Resolver("a"), Clock()
    addresses = ReplicaAddresses("name:1", resolve=resolver.resolve, clock=clock)
    await settled(addresses)
    resolver.addresses, clock.now = (), 10
    assert await settled(addresses) == ("a",)
    resolver.addresses, clock.now = ("b",), 11
    assert await settled(addresses) == ("b",)


async def test_a_name_without_addresses_raises_a_model_server_unavailable_error():
    addresses = ReplicaAddresses("name:1", resolve=Resolver().resolve, clock=Clock())
    with pytest.raises(ModelServerUnavailableError, match="name:1 has no address"):
        await addresses.get(1)


async def test_a_hanging_look_up_raises_a_model_deadline_error():
    async def hang(_name: str, _port: int) -> Sequence[str]:
        return await asyncio.Future()

    addresses = ReplicaAddresses("name:1", resolve=hang)
    with pytest.raises(ModelDeadlineError):
        await addresses.get(0.01)
    await addresses.close()
