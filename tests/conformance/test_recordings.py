"""Every recording is run, and every difference is of a recording: nothing is passed over."""

from tests.conformance import test_batching, test_calls, test_life, test_reload, test_startup
from tests.conformance.differences import DIFFERENCES
from tests.conformance.recording import recordings

RUN = [
    *(test_calls.SINGLE + test_calls.BURSTS),
    *test_life.RECORDINGS,
    *test_reload.RECORDINGS,
    *test_startup.RECORDINGS,
    *(test_batching.SINGLE + test_batching.BURSTS),
]


def test_every_recording_is_run_once():
    assert sorted(r.name for r in RUN) == sorted(r.name for r in recordings(""))


def test_every_difference_is_of_a_recording():
    assert DIFFERENCES.keys() <= {recording.name for recording in RUN}


def test_every_case_that_was_arranged_is_of_a_recording():
    arranged = {
        *test_life.CASES,
        *test_reload.BEFORE,
        *test_batching.REQUESTS,
        *(test_calls.REQUESTS.keys() | test_calls.OPTIONS),
    }
    assert arranged <= {recording.name for recording in RUN}
