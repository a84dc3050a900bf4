"""Calls for versions that are broken, unloaded or removed, as in `life_*` and `policy_*`."""

import re
from pathlib import Path

import pytest

from serving.protos.model_status_pb2 import GetModelStatusResponse
from tests.conformance.lifecycle_cases import CASES, RECORDED_BASE_PATH, RECORDINGS
from tests.conformance.lifecycle_server import served_model
from tests.conformance.recording import Recording, call, check
from tests.conformance.servables import Servables
from tests.conformance.served_model import states_of
from tests.service_process import wait_until

CALLS = [r for r in RECORDINGS if r.status != "timeline"]


@pytest.mark.parametrize("recording", CALLS, ids=lambda r: r.name)
def test_a_call_for_a_version_gets_the_recorded_outcome(
    recording: Recording, servables: Servables, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    case = CASES[recording.name]
    before = case.before
    if before is None:
        assert isinstance(recording.response, GetModelStatusResponse)
        before = states_of(recording.response, RECORDED_BASE_PATH)
    name = recording.content["request"]["model_spec"]["name"]
    with served_model(before, case, servables, tmp_path, log=caplog, name=name) as model:
        case.act(model)
        wait_until(lambda: "LOADING" not in [s[1] for s in model.states()])
        outcome = call(model.address, recording.path, recording.request)
    recorded_path = re.search(RECORDED_BASE_PATH, str(recording.content["response"]))
    check(recording, outcome, {str(model.base_path): recorded_path[0]} if recorded_path else {})
