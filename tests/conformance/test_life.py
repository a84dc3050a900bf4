"""The version directory changing under a running server, `life_*` and `policy_*`.

Each case begins with the versions in the states that its recording begins with, then the directory
changes as it did there. What must be the same: how every version ends, through which states, and
who answered predictions on the way.
"""

import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from serving import protocol, tensors
from serving.embedded.options import ModelServerOptions
from serving.protos.model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelVersionStatus,
)
from serving.protos.predict_pb2 import ModelSpec, PredictRequest, PredictResponse
from serving.volume.model_config import Latest, ModelConfig
from tests.conformance.differences import DIFFERENCES
from tests.conformance.recording import Recording, call, check, recordings
from tests.conformance.servables import Servables
from tests.servers import embedded_model_server
from tests.service_process import wait_until

State = tuple[int, str, int, str]
"""Version, state, error code and error message."""

MINUTE = 60.0
RECORDED_BASE_PATH = r"/life\w*/\w+"
QUIET_SECONDS = 0.4
"""How long nothing may change where the recording shows no change."""

BROKEN = {
    "Can't parse": "unparsable",
    "Specified file path": "empty",
    "Could not find meta graph": "wrong tags",
    "Variable": "no variables",
}
"""What was wrong with a version, by the beginning of the recorded error."""


@dataclass(frozen=True)
class Model:
    """A model's directory on the volume, which a test changes as the recorded one was."""

    name: str
    base_path: Path
    servables: Servables
    address: str = ""

    def add(self, version: int | str, kind: str = "m") -> None:
        self.servables.put(kind, self.base_path / str(version))

    def remove(self, version: int) -> None:
        shutil.rmtree(self.base_path / str(version))

    def remove_all(self) -> None:
        for path in sorted(self.base_path.iterdir(), key=lambda path: int(path.name)):
            shutil.rmtree(path)

    def mend(self, version: int) -> None:
        self.servables.copy_graph("m", self.base_path / str(version))

    def states(self) -> list[State]:
        request = GetModelStatusRequest(model_spec=ModelSpec(name=self.name))
        outcome = call(self.address, protocol.GET_MODEL_STATUS, request.SerializeToString())
        if outcome.status == "NOT_FOUND":
            return []
        return states(GetModelStatusResponse.FromString(outcome.response), str(self.base_path))

    def predict(self) -> tuple[str, int | str]:
        image = tensors.encode(np.full((1, 64, 64, 3), 0.5, np.float32))
        request = PredictRequest(model_spec=ModelSpec(name=self.name), inputs={"image": image})
        outcome = call(self.address, protocol.PREDICT, request.SerializeToString())
        if outcome.status != "OK":
            return outcome.status, outcome.message
        return "OK", PredictResponse.FromString(outcome.response).model_spec.version.value


def states(response: GetModelStatusResponse, base_path: str) -> list[State]:
    return [
        (
            version.version,
            ModelVersionStatus.State.Name(version.state),
            version.status.error_code,
            re.sub(base_path, "BASE", version.status.error_message),
        )
        for version in response.model_version_status
    ]


@dataclass
class Timeline:
    """What was seen of a model, in order."""

    seen: list[list[State]] = field(default_factory=list)
    answers: list[tuple[str, int | str]] = field(default_factory=list)

    @classmethod
    def recorded(cls, recording: Recording) -> "Timeline":
        timeline = cls()
        for entry in recording.content["response"]:
            if "status" in entry:
                timeline.seen.append(
                    [(*s[:3], re.sub(RECORDED_BASE_PATH, "BASE", s[3])) for s in entry["status"]]
                )
            else:
                timeline.answers.append(tuple(entry["predict"]))
        return timeline

    @property
    def end(self) -> list[State]:
        return self.seen[-1]

    def lives(self) -> dict[int, list[str]]:
        """The states of each version, one after the other, but for the short ones of its start."""
        lives: dict[int, list[str]] = {}
        for snapshot in self.seen:
            for version, state, *_ in snapshot:
                life = lives.setdefault(version, [])
                if state not in {"START", "LOADING"} and state not in life[-1:]:
                    life.append(state)
        return lives

    def observe(self, model: Model) -> None:
        self.seen.append(model.states())
        answer = model.predict()
        if answer not in self.answers[-1:]:
            self.answers.append(answer)

    def observe_until(self, model: Model, end: Callable[[list[State]], bool]) -> None:
        """Look on until it ends so, and then for a while whether it stays so."""
        deadline = time.monotonic() + 10
        while not end(self.end) and time.monotonic() < deadline:
            self.observe(model)
        quiet = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < quiet:
            self.observe(model)


@dataclass(frozen=True)
class Case:
    """What a recording does not tell: what was done, and under which flags."""

    act: Callable[[Model], None] = lambda _model: None
    before: Sequence[State] | None = None
    """The states it begins with, where the recording has none."""
    latest: int = 1
    retries: int = 5
    retry_seconds: float = MINUTE
    beside_a_broken_model: bool = False


def slow_copy(model: Model) -> None:
    (model.base_path / "2").mkdir()
    time.sleep(0.5)
    model.mend(2)


def broken_then_good(model: Model) -> None:
    model.add(3, "unparsable")
    wait_until(lambda: model.states()[0][:2] == (3, "LOADING"))
    model.add(4)


def several(*actions: Callable[[Model], None]) -> Callable[[Model], None]:
    return lambda model: [action(model) for action in actions] and None


QUICK = Case(retries=1, retry_seconds=0.1)
BROKEN_3: list[State] = [(3, "END", 15, "Can't parse"), (1, "AVAILABLE", 0, "")]
NEWER_SERVES: list[State] = [(2, "AVAILABLE", 0, ""), (1, "END", 0, "")]

CASES = {
    "life_all_versions_removed": Case(Model.remove_all),
    "life_base_path_back_v5": Case(lambda m: m.add(5)),
    "life_base_path_back_v8": Case(several(lambda m: m.base_path.rmdir(), lambda m: m.add(8))),
    "life_base_path_removed": Case(lambda m: m.base_path.rmdir()),
    "life_broken_after_retries_other_status": Case(),
    "life_broken_after_retries_status": QUICK,
    "life_broken_new_version": Case(lambda m: m.add(3, "unparsable")),
    "life_broken_new_version_1_retry": replace(QUICK, act=lambda m: m.add(3, "unparsable")),
    "life_broken_version_default_retries_5min": Case(broken_then_good, retry_seconds=0.2),
    "life_broken_version_fixed_in_place": replace(QUICK, act=lambda m: m.mend(3)),
    "life_broken_version_readded_good": replace(
        QUICK, act=several(lambda m: m.remove(3), lambda m: m.add(3))
    ),
    "life_broken_version_removed": Case(lambda m: m.remove(3)),
    "life_broken_version_removed_and_readded": replace(QUICK, act=lambda m: m.remove(3)),
    "life_default_flags_other_model_after_bad_version": Case(
        lambda m: m.add(2), beside_a_broken_model=True
    ),
    "life_empty_version_dir": replace(QUICK, act=lambda m: m.add(4, "empty")),
    "life_file_named_like_version": Case(lambda m: m.add(99, "plain file")),
    "life_load_threads2_broken": Case(lambda m: m.add(3, "unparsable")),
    "life_load_threads2_broken_b": Case(lambda m: m.add(3, "unparsable")),
    "life_load_threads2_broken_removed": Case(lambda m: m.remove(3)),
    "life_load_threads2_broken_removed_b": Case(lambda m: m.remove(3)),
    "life_load_threads2_good_v4": Case(lambda m: m.add(4)),
    "life_load_threads2_next_number": Case(lambda m: m.add(4)),
    "life_load_threads2_other_model": Case(lambda m: m.add(2), beside_a_broken_model=True),
    "life_load_threads2_same_number_fixed": Case(lambda m: m.mend(3)),
    "life_lower_version_added": Case(lambda m: m.add(4)),
    "life_multi_new_versions_at_once": Case(several(lambda m: m.add(3), lambda m: m.add(2))),
    "life_new_version": Case(lambda m: m.add(2)),
    "life_nonnumeric_and_tmp_dirs": Case(
        several(lambda m: m.add("tmp-9"), lambda m: m.add("v9"), lambda m: m.add(".9"))
    ),
    "life_policy_latest2_new_version": Case(lambda m: m.add(4), latest=2),
    "life_predict_broken_version": replace(QUICK, before=BROKEN_3),
    "life_predict_unloaded_version": Case(before=NEWER_SERVES),
    "life_slow_copy_retry_1s": Case(slow_copy, retry_seconds=0.2),
    "life_status_broken_version": QUICK,
    "life_status_broken_version_only": replace(QUICK, before=BROKEN_3),
    "life_status_empty_version_dir": QUICK,
    "life_status_no_variables": replace(
        QUICK, before=[(5, "END", 3, "Variable is not initialized"), (1, "AVAILABLE", 0, "")]
    ),
    "life_status_unloaded_version": Case(before=NEWER_SERVES),
    "life_status_wrong_tags": replace(
        QUICK, before=[(6, "END", 5, "Could not find meta graph"), (1, "AVAILABLE", 0, "")]
    ),
    "life_version_dir_without_variables": replace(QUICK, act=lambda m: m.add(5, "no variables")),
    "life_version_removed": Case(lambda m: m.remove(2)),
    "life_version_wrong_tags": replace(QUICK, act=lambda m: m.add(6, "wrong tags")),
    "policy_latest2_status": Case(latest=2),
}

RECORDINGS = recordings("life_", "policy_")
TIMELINES = [r for r in RECORDINGS if r.status == "timeline"]
CALLS = [r for r in RECORDINGS if r.status != "timeline"]


@contextmanager
def model_in(
    before: Sequence[State],
    case: Case,
    servables: Servables,
    root: Path,
    *,
    log: pytest.LogCaptureFixture,
    name: str = "m",
) -> Iterator[Model]:
    """A running server whose versions are in these states."""
    model = Model(name, root / name, servables)
    model.base_path.mkdir()
    configs = [ModelConfig(name, model.base_path, Latest(case.latest))]
    if case.beside_a_broken_model:
        configs.append(ModelConfig("broken", root / "broken"))
        servables.put("unparsable", root / "broken" / "1")
    options = ModelServerOptions(
        poll_seconds=0.03,
        load_retries=case.retries,
        load_retry_interval_seconds=case.retry_seconds,
    )
    log.set_level(logging.INFO, "serving.embedded.loader")
    with embedded_model_server(configs, options) as address:
        model = replace(model, address=address)
        bring_about(model, before, log)
        yield model


def bring_about(model: Model, before: Sequence[State], log: pytest.LogCaptureFixture) -> None:
    for version, state, _, error in sorted(before):
        broken = state == "LOADING" or error
        kind = next((k for start, k in BROKEN.items() if error.startswith(start)), "unparsable")
        model.add(version, kind if broken else "m")
        reached = (version, "END" if error else "LOADING" if broken else "AVAILABLE")
        wait_until(lambda reached=reached: reached in [s[:2] for s in model.states()])
        if reached[1] == "LOADING":
            wait_until(lambda path=str(model.base_path / str(version)): _was_tried(path, log))
    if not any(state == "AVAILABLE" for _, state, *_ in before):
        model.remove_all()
    expected = [(version, state) for version, state, *_ in before]
    wait_until(lambda: [s[:2] for s in model.states()] == expected)


def _was_tried(version_dir: str, log: pytest.LogCaptureFixture) -> bool:
    """Whether the server has read a broken version: its state is LOADING before that, too."""
    return any(m.startswith(f"{version_dir} is tried again") for m in log.messages)


@pytest.mark.parametrize("recording", CALLS, ids=lambda r: r.name)
def test_a_call_ends_as_recorded(
    recording: Recording, servables: Servables, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    case = CASES[recording.name]
    before = case.before
    if before is None:
        assert isinstance(recording.response, GetModelStatusResponse)
        before = states(recording.response, RECORDED_BASE_PATH)
    name = recording.content["request"]["model_spec"]["name"]
    with model_in(before, case, servables, tmp_path, log=caplog, name=name) as model:
        case.act(model)
        wait_until(lambda: "LOADING" not in [s[1] for s in model.states()])
        outcome = call(model.address, recording.path, recording.request)
    recorded_path = re.search(RECORDED_BASE_PATH, str(recording.content["response"]))
    check(recording, outcome, {str(model.base_path): recorded_path[0]} if recorded_path else {})


@pytest.mark.parametrize("recording", TIMELINES, ids=lambda r: r.name)
def test_versions_come_and_go_as_recorded(
    recording: Recording, servables: Servables, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    case = CASES[recording.name]
    recorded, found = Timeline.recorded(recording), Timeline()
    difference = DIFFERENCES.get(recording.name)
    with model_in(recorded.seen[0], case, servables, tmp_path, log=caplog) as model:
        found.observe(model)
        case.act(model)
        if difference is None:
            found.observe_until(model, lambda states: states == recorded.end)
        else:
            found.observe_until(model, lambda states: _summary(states) == difference.status)
    if difference is None:
        assert found.end == recorded.end
        assert found.lives() == recorded.lives()
        assert found.answers == recorded.answers
    else:
        assert _summary(found.end) == difference.status
        assert re.search(difference.message, str(found.end) + str(found.answers))
        assert (found.end, found.answers) != (recorded.end, recorded.answers)


def _summary(states: Sequence[State]) -> str:
    return ", ".join(f"{version} {state}" for version, state, *_ in states)
