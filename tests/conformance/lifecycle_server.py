"""Runs a model server whose model has versions in the initial states of a lifecycle case."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from serving.embedded.options import ModelServerOptions
from serving.volume.model_config import Latest, ModelConfig
from tests.conformance.lifecycle_cases import Case
from tests.conformance.servables import Servables
from tests.conformance.served_model import ServedModel, State
from tests.servers import embedded_model_server
from tests.service_process import wait_until

BROKEN = {
    "Can't parse": "unparsable",
    "Specified file path": "empty",
    "Could not find meta graph": "wrong tags",
    "Variable": "no variables",
}
"""The kind of broken servable, by the beginning of the recorded error."""


@contextmanager
def served_model(
    before: Sequence[State],
    case: Case,
    servables: Servables,
    root: Path,
    *,
    log: pytest.LogCaptureFixture,
    name: str = "m",
) -> Iterator[ServedModel]:
    """Run a server with a model whose versions are in these states."""
    model = ServedModel(name, root / name, servables)
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
        _reach(before, model, log)
        yield model


def _reach(before: Sequence[State], model: ServedModel, log: pytest.LogCaptureFixture) -> None:
    """Add versions one by one, each until it is in its state."""
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
    """Whether the server has tried to load a broken version, which is LOADING before that, too."""
    return any(m.startswith(f"retrying {version_dir}: ") for m in log.messages)
