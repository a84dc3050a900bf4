"""Connections are bounded, and health checks have reserved slots."""

import ipaddress

from covidscan.service.http.connection_slots import RESERVED, ConnectionSlot, ConnectionSlots


def make_slots(**changes: object) -> ConnectionSlots:
    return ConnectionSlots(**{"max_connections": 8, "max_per_address": 3, **changes})  # type: ignore[arg-type]


def take(slots: ConnectionSlots, address: str) -> ConnectionSlot:
    slot = slots.take(address)
    assert slot is not None
    return slot


def test_an_address_has_a_limit_of_its_own():
    crowded = make_slots()
    slots = [take(crowded, "192.0.2.1") for _ in range(3)]
    assert not any(slot.health_checks_only for slot in slots)
    assert take(crowded, "192.0.2.1").health_checks_only
    assert not take(crowded, "192.0.2.2").health_checks_only
    slots[0].release()
    slots[0].release()
    assert not take(crowded, "192.0.2.1").health_checks_only
    assert take(crowded, "192.0.2.1").health_checks_only


def test_the_ipv6_addresses_of_a_64_network_share_one_limit():
    crowded = make_slots()
    for host in range(3):
        assert not take(crowded, f"2001:db8::{host}").health_checks_only
    assert take(crowded, "2001:db8::abcd").health_checks_only
    assert not take(crowded, "2001:db8:0:1::1").health_checks_only


def test_a_trusted_proxy_is_bounded_by_the_total_only():
    proxied = make_slots(unbounded=[ipaddress.ip_network("10.0.0.0/8")])
    assert not any(take(proxied, "10.0.0.1").health_checks_only for _ in range(8))
    assert take(proxied, "10.0.0.1").health_checks_only


def test_a_health_check_evicts_the_oldest_of_the_network_with_most_reserved_slots():
    full = make_slots(max_connections=1)
    take(full, "192.0.2.1")
    ended: list[ConnectionSlot] = []

    def check(address: str) -> ConnectionSlot:
        slot = take(full, address)
        assert slot.health_checks_only
        slot.evict = lambda: ended.append(slot)
        return slot

    other = check("192.0.2.2")
    evictable = [check("192.0.2.1") for _ in range(RESERVED - 1)]
    assert not ended
    evictable += [check("192.0.2.1") for _ in range(3 * RESERVED)]
    assert ended == evictable[: len(ended)]
    assert len(ended) == 3 * RESERVED
    assert other not in ended
    assert full.connections == 1 + RESERVED


def test_a_health_check_that_is_being_answered_is_not_evicted():
    full = make_slots(max_connections=1)
    take(full, "192.0.2.1")
    answering = [take(full, "192.0.2.1") for _ in range(RESERVED)]
    assert full.take("192.0.2.2") is None
    for slot in answering:
        slot.release()
    assert full.connections == 1
