"""`covidscan model-server` as a process, `startup_*`, `process_*`: it listens, or says why not."""

import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.differences import DIFFERENCES
from tests.conformance.recording import Recording, recordings
from tests.conformance.servables import Servables
from tests.service_process import COVIDSCAN

RECORDINGS = recordings("startup_", "process_")
STARTUPS = [r for r in RECORDINGS if r.name.startswith("startup_")]

DEFAULT_CONFIG = (
    'model_config_list { config { name: "m" base_path: "/life2/m" model_platform: "tensorflow" } }'
)


@pytest.fixture
def root(servables: Servables, tmp_path: Path) -> Path:
    """What lay below `/` where the starts were recorded."""
    servables.put("m", tmp_path / "life2" / "m" / "3")
    servables.put("unparsable", tmp_path / "life2" / "bad" / "1")
    (tmp_path / "life2" / "emptydir").mkdir()
    return tmp_path


@dataclass(frozen=True)
class Start:
    """How a start went: ``listening`` or ``exited``, and what the process said."""

    status: str
    said: str


def arguments_of(recording: Recording, root: Path) -> list[str]:
    request = recording.content["request"]
    config = root / "models.config"
    config.write_text(moved(request.get("model_config", DEFAULT_CONFIG), root))
    arguments = [f"--model_config_file={config}", *request.get("flags", [])]
    if "batching_parameters" in request:
        parameters = root / "batching.config"
        parameters.write_text(request["batching_parameters"])
        arguments += ["--enable_batching=true", f"--batching_parameters_file={parameters}"]
    flag = re.compile(
        r"--(model_config_file|batching_parameters_file|monitoring_config_file)=/config"
    )
    return [argument for argument in arguments if not flag.match(argument)]


def moved(text: str, root: Path) -> str:
    return re.sub(r'"/(?=\w)', f'"{root}/', text)


def start(arguments: Sequence[str]) -> tuple[subprocess.Popen[str], Start]:
    process = subprocess.Popen(
        [*COVIDSCAN, "model-server", "--port=0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Errors in a terminal of usual width would be broken anywhere.
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "1000", "TERM": "dumb"},
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "the model server listens" in line:
            return process, Start("listening", said)
    assert process.wait(timeout=10) == 2
    return process, Start("exited", said)


@pytest.mark.parametrize("recording", STARTUPS, ids=lambda r: r.name)
def test_it_starts_or_says_why_not(recording: Recording, root: Path):
    process, found = start(arguments_of(recording, root))
    if found.status == "listening":
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert process.stdout is not None
    process.stdout.close()
    recorded = "listening" if recording.status == "listening" else recording.status.split()[0]
    # Said after the code: what a user can act upon.
    reason = re.sub(r"^.*Error: [A-Z_]+: ", "", str(recording.content["message"]))
    agrees = found.status == recorded and (found.status == "listening" or reason in found.said)
    if difference := DIFFERENCES.get(recording.name):
        assert not agrees, "it starts as TensorFlow Serving does: no difference any more"
        assert found.status == difference.status, found.said
        assert re.search(difference.message, found.said), found.said
    else:
        assert agrees, found.said


def test_sigterm_ends_it_in_order(root: Path):
    (recording,) = (r for r in RECORDINGS if r.name == "process_sigterm")
    config = root / "models.config"
    config.write_text(moved(DEFAULT_CONFIG, root))
    process, found = start([f"--model_config_file={config}"])
    assert found.status == "listening"
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=5)
    assert process.stdout is not None
    process.stdout.close()
    assert recording.status == f"rc={-signal.SIGTERM}"
    assert DIFFERENCES[recording.name].status == f"exited {code}"


def test_every_recorded_process_has_its_test():
    assert {r.name for r in RECORDINGS if r not in STARTUPS} == {"process_sigterm"}
