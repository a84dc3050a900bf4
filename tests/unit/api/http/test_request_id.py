"""Request ids are UUIDs of version 7, which sort by time."""

import time

from api.http.request_id import uuid7


def test_ids_are_uuids_of_version_7_and_contain_the_time():
    before = time.time_ns() // 1_000_000
    value = uuid7()
    after = time.time_ns() // 1_000_000
    assert (value.version, value.variant) == (7, "specified in RFC 4122")
    assert before <= value.int >> 80 <= after


def test_ids_are_unique():
    assert len({uuid7() for _ in range(1000)}) == 1000
