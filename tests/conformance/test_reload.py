"""Reloads of a running server's configuration, as in `reload_*` and `predict_other_*`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import json_format

from serving import protocol
from serving.embedded.options import ModelServerOptions
from serving.protos.model_config_pb2 import ReloadConfigRequest
from serving.volume.model_config import ModelConfig
from tests.conformance.recording import Outcome, Recording, call, check, recordings
from tests.conformance.servables import Servables
from tests.servers import embedded_model_server
from tests.service_process import wait_until

RECORDINGS = recordings("reload_", "predict_other_")
BY_NAME = {recording.name: recording for recording in RECORDINGS}

M_AND_OTHER = "reload_unchanged"
ADD_BROKEN, ADD_THIRD = "reload_add_broken_model", "reload_label_in_second_step"
MISSING = "reload_missing_base_path"

BEFORE = {
    "predict_other_while_reload_blocked": [MISSING],
    "reload_add_broken_model": [],
    "reload_add_broken_model_predict": [ADD_BROKEN],
    "reload_add_broken_model_status": [ADD_BROKEN],
    "reload_add_model": [],
    "reload_add_model_then_status": ["reload_add_model"],
    "reload_change_base_path": [ADD_THIRD],
    "reload_change_base_path_status": [ADD_THIRD, "reload_change_base_path"],
    "reload_empty_request": [],
    "reload_good_after_duplicate_name": ["duplicate name"],
    "reload_good_after_no_platform": ["reload_no_platform"],
    "reload_good_after_relative_path": ["reload_relative_path"],
    "reload_good_after_unknown_platform": ["reload_unknown_platform"],
    "reload_label_for_unavailable_version_status": ["label in first step"],
    "reload_label_in_second_step": [],
    "reload_label_in_second_step_b": [ADD_THIRD],
    "reload_label_predict": [ADD_THIRD, "reload_label_in_second_step_b"],
    "reload_missing_base_path": [],
    "reload_missing_base_path_model_predict": [MISSING],
    "reload_missing_base_path_model_status": [MISSING],
    "reload_no_platform": [],
    "reload_relative_path": [],
    "reload_remove_model": ["reload_add_model"],
    "reload_removed_model_predict": ["reload_add_model", "reload_remove_model"],
    "reload_removed_model_status_1s": ["reload_add_model", "reload_remove_model"],
    "reload_removed_model_status_at_once": ["reload_add_model", "reload_remove_model"],
    "reload_unchanged": [],
    "reload_unknown_platform": [],
    "reload_while_one_blocked": [MISSING],
}
"""The reloads that precede each case, by the names of their recordings."""

UNRECORDED = {
    "duplicate name": (
        lambda: with_first_model_twice(BY_NAME[M_AND_OTHER]),
        Outcome("INVALID_ARGUMENT", "Illegal to list model m multiple times in config list"),
    ),
    "label in first step": (
        lambda: BY_NAME["reload_label_in_second_step_b"].request,
        Outcome(
            "FAILED_PRECONDITION",
            "Request to assign label to version 1 of model third, which is not currently available"
            " for inference",
        ),
    ),
}
"""Reloads that were not recorded themselves, only what followed them."""


def with_first_model_twice(recording: Recording) -> bytes:
    request = ReloadConfigRequest.FromString(recording.request)
    request.config.model_config_list.config.append(request.config.model_config_list.config[0])
    return request.SerializeToString()


@pytest.fixture
def root(servables: Servables, tmp_path: Path) -> Path:
    """The files that were below `/` where the answers were recorded."""
    for life in ("life2", "life3"):
        for kind, path in (
            *(("m", f"{name}/1") for name in ("m", "other", "third")),
            ("unparsable", "bad/1"),
        ):
            servables.put(kind, tmp_path / life / path)
    servables.put("m", tmp_path / "models" / "labelled" / "1")
    servables.put("canary", tmp_path / "models" / "labelled" / "2")
    return tmp_path


@pytest.fixture
def address(root: Path) -> Iterator[str]:
    configs = [ModelConfig(name, root / "life3" / name) for name in ("m", "other")]
    options = ModelServerOptions(poll_seconds=0.05, load_retries=0)
    with embedded_model_server(configs, options) as address:
        health = "/grpc.health.v1.Health/Check"
        wait_until(lambda: call(address, health, b"").response == b"\x08\x01")
        yield address


def reload(address: str, request: bytes, root: Path) -> Outcome:
    """Send a recorded request, with its absolute paths moved below ``root``."""
    text = json_format.MessageToJson(ReloadConfigRequest.FromString(request))
    moved = json_format.Parse(re.sub(r'"/(?=\w)', f'"{root}/', text), ReloadConfigRequest())
    return call(address, protocol.HANDLE_RELOAD_CONFIG_REQUEST, moved.SerializeToString())


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda r: r.name)
def test_reloads_and_the_calls_after_them_get_the_recorded_outcomes(
    recording: Recording, address: str, root: Path
):
    paths = {f"{root}/": "/"}
    for name in BEFORE[recording.name]:
        if name in UNRECORDED:
            request, expected = UNRECORDED[name]
            outcome = reload(address, request(), root)
            assert (outcome.status, outcome.message) == (expected.status, expected.message)
        else:
            check(BY_NAME[name], reload(address, BY_NAME[name].request, root), paths)
    if recording.content["method"] == "HandleReloadConfigRequest":
        outcome = reload(address, recording.request, root)
    else:
        outcome = call(address, recording.path, recording.request)
    check(recording, outcome, paths)


def test_every_preceding_reload_is_a_recording_or_defined_here():
    assert {name for before in BEFORE.values() for name in before} <= BY_NAME.keys() | UNRECORDED
