"""Connections are bounded, and health checks have places beyond the bounds."""

import ipaddress

from covidscan.service.connection_slots import RESERVED, ConnectionRoom, Place


def room(**changes: object) -> ConnectionRoom:
    return ConnectionRoom(**{"max_connections": 8, "max_per_address": 3, **changes})  # type: ignore[arg-type]


def enter(room: ConnectionRoom, address: str) -> Place:
    place = room.enter(address)
    assert place is not None
    return place


def test_of_one_address_there_are_so_many_and_others_have_room():
    crowded = room()
    places = [enter(crowded, "192.0.2.1") for _ in range(3)]
    assert not any(place.health_checks_only for place in places)
    assert enter(crowded, "192.0.2.1").health_checks_only
    assert not enter(crowded, "192.0.2.2").health_checks_only
    places[0].leave()
    places[0].leave()
    assert not enter(crowded, "192.0.2.1").health_checks_only
    assert enter(crowded, "192.0.2.1").health_checks_only


def test_a_host_has_no_more_room_for_having_many_ipv6_addresses():
    crowded = room()
    for host in range(3):
        assert not enter(crowded, f"2001:db8::{host}").health_checks_only
    assert enter(crowded, "2001:db8::abcd").health_checks_only
    assert not enter(crowded, "2001:db8:0:1::1").health_checks_only


def test_a_trusted_proxy_stands_for_many_clients_but_not_for_all_connections():
    proxied = room(unbounded=[ipaddress.ip_network("10.0.0.0/8")])
    assert not any(enter(proxied, "10.0.0.1").health_checks_only for _ in range(8))
    assert enter(proxied, "10.0.0.1").health_checks_only


def test_of_health_checks_the_oldest_of_whoever_has_most_makes_room():
    full = room(max_connections=1)
    enter(full, "192.0.2.1")
    ended: list[Place] = []

    def check(address: str) -> Place:
        place = enter(full, address)
        assert place.health_checks_only
        place.evict = lambda: ended.append(place)
        return place

    other = check("192.0.2.2")
    crowd = [check("192.0.2.1") for _ in range(RESERVED - 1)]
    assert not ended
    crowd += [check("192.0.2.1") for _ in range(3 * RESERVED)]
    assert ended == crowd[: len(ended)]
    assert len(ended) == 3 * RESERVED
    assert other not in ended
    assert full.connections == 1 + RESERVED


def test_a_health_check_that_is_being_answered_makes_no_room():
    full = room(max_connections=1)
    enter(full, "192.0.2.1")
    answering = [enter(full, "192.0.2.1") for _ in range(RESERVED)]
    assert full.enter("192.0.2.2") is None
    for place in answering:
        place.leave()
    assert full.connections == 1
