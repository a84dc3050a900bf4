"""The states and answers of a model over time, recorded or observed."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.conformance.lifecycle_cases import RECORDED_BASE_PATH
from tests.conformance.recording import Recording
from tests.conformance.served_model import ServedModel, State

QUIET_SECONDS = 0.4
"""How long the final states must last."""


@dataclass
class Timeline:
    """Snapshots of a model's versions, and its answers to predictions, in order."""

    snapshots: list[list[State]] = field(default_factory=list)
    answers: list[tuple[str, int | str]] = field(default_factory=list)

    @classmethod
    def recorded(cls, recording: Recording) -> "Timeline":
        timeline = cls()
        for entry in recording.content["response"]:
            if "status" in entry:
                timeline.snapshots.append(
                    [(*s[:3], re.sub(RECORDED_BASE_PATH, "BASE", s[3])) for s in entry["status"]]
                )
            else:
                timeline.answers.append(tuple(entry["predict"]))
        return timeline

    @property
    def final_states(self) -> list[State]:
        return self.snapshots[-1]

    def states_by_version(self) -> dict[int, list[str]]:
        """The successive states of each version, without START and LOADING, which are short."""
        by_version: dict[int, list[str]] = {}
        for snapshot in self.snapshots:
            for version, state, *_ in snapshot:
                states = by_version.setdefault(version, [])
                if state not in {"START", "LOADING"} and state not in states[-1:]:
                    states.append(state)
        return by_version

    def observe(self, model: ServedModel) -> None:
        self.snapshots.append(model.states())
        answer = model.predict()
        if answer not in self.answers[-1:]:
            self.answers.append(answer)

    def observe_until(self, model: ServedModel, are_final: Callable[[list[State]], bool]) -> None:
        """Observe a model until its states are final, and then whether they stay so."""
        deadline = time.monotonic() + 10
        while not are_final(self.final_states) and time.monotonic() < deadline:
            self.observe(model)
        quiet = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < quiet:
            self.observe(model)


def summary(states: Sequence[State]) -> str:
    """Describe states as the table of differences does."""
    return ", ".join(f"{version} {state}" for version, state, *_ in states)
