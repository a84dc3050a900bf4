"""Every recording is tested, and the tables of cases name only recordings."""

from tests.conformance import (
    lifecycle_cases,
    test_batching,
    test_calls,
    test_reload,
    test_startup,
    test_version_calls,
    test_version_timelines,
)
from tests.conformance.differences import DIFFERENCES
from tests.conformance.recording import recordings

TESTED = [
    *(test_calls.SINGLE + test_calls.BURSTS),
    *(test_version_calls.CALLS + test_version_timelines.TIMELINES),
    *test_reload.RECORDINGS,
    *test_startup.RECORDINGS,
    *(test_batching.SINGLE + test_batching.BURSTS),
]


def test_every_recording_is_tested_exactly_once():
    assert sorted(r.name for r in TESTED) == sorted(r.name for r in recordings(""))


def test_every_difference_belongs_to_a_recording():
    assert DIFFERENCES.keys() <= {recording.name for recording in TESTED}


def test_every_prepared_case_belongs_to_a_recording():
    prepared = {
        *lifecycle_cases.CASES,
        *test_reload.BEFORE,
        *test_batching.REQUESTS,
        *(test_calls.REQUESTS.keys() | test_calls.OPTIONS),
    }
    assert prepared <= {recording.name for recording in TESTED}
