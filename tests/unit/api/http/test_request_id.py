"""Request ids: UUID version 7, in the order of time."""

import time

from api.http.request_id import uuid7


def test_ids_are_version_7_and_carry_the_time():
    before = time.time_ns() // 1_000_000
    value = uuid7()
    after = time.time_ns() // 1_000_000
    assert (value.version, value.variant) == (7, "specified in RFC 4122")
    assert before <= value.int >> 80 <= after


def test_ids_differ():
    assert len({uuid7() for _ in range(1000)}) == 1000
