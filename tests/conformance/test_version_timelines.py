"""Versions change under a running server, as in the timelines of `life_*` and `policy_*`.

The versions first reach the initial states of the recording. Then the version directory changes as
it did there. The states that every version goes through and the answers to predictions must be the
recorded ones.
"""

import re
from pathlib import Path

import pytest

from tests.conformance.differences import DIFFERENCES
from tests.conformance.lifecycle_cases import CASES, RECORDINGS
from tests.conformance.lifecycle_server import served_model
from tests.conformance.recording import Recording
from tests.conformance.servables import Servables
from tests.conformance.timeline import Timeline, summary

TIMELINES = [r for r in RECORDINGS if r.status == "timeline"]


@pytest.mark.parametrize("recording", TIMELINES, ids=lambda r: r.name)
def test_versions_go_through_the_recorded_states(
    recording: Recording, servables: Servables, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    case = CASES[recording.name]
    recorded, found = Timeline.recorded(recording), Timeline()
    difference = DIFFERENCES.get(recording.name)
    with served_model(recorded.snapshots[0], case, servables, tmp_path, log=caplog) as model:
        found.observe(model)
        case.act(model)
        if difference is None:
            found.observe_until(model, lambda states: states == recorded.final_states)
        else:
            found.observe_until(model, lambda states: summary(states) == difference.status)
    if difference is None:
        assert found.final_states == recorded.final_states
        assert found.states_by_version() == recorded.states_by_version()
        assert found.answers == recorded.answers
    else:
        assert summary(found.final_states) == difference.status
        assert re.search(difference.message, str(found.final_states) + str(found.answers))
        assert (found.final_states, found.answers) != (recorded.final_states, recorded.answers)
