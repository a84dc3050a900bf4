"""`covidscan model-server` starts or exits with an error, as in `startup_*` and `process_*`."""

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
    """The files that were below `/` where the starts were recorded."""
    servables.put("m", tmp_path / "life2" / "m" / "3")
    servables.put("unparsable", tmp_path / "life2" / "bad" / "1")
    (tmp_path / "life2" / "emptydir").mkdir()
    return tmp_path


@dataclass(frozen=True)
class StartResult:
    """How a start ended, ``listening`` or ``exited``, and the output of the process."""

    status: str
    output: str


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


def start(arguments: Sequence[str]) -> tuple[subprocess.Popen[str], StartResult]:
    process = subprocess.Popen(
        [*COVIDSCAN, "model-server", "--port=0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # In a terminal of the usual width, errors would be wrapped.
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "1000", "TERM": "dumb"},
    )
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if "the model server listens" in line:
            return process, StartResult("listening", output)
    assert process.wait(timeout=10) == 2
    return process, StartResult("exited", output)


@pytest.mark.parametrize("recording", STARTUPS, ids=lambda r: r.name)
def test_the_process_listens_or_reports_the_recorded_error(recording: Recording, root: Path):
    process, found = start(arguments_of(recording, root))
    if found.status == "listening":
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert process.stdout is not None
    process.stdout.close()
    recorded = "listening" if recording.status == "listening" else recording.status.split()[0]
    # The text after the status code is what a user can act on.
    reason = re.sub(r"^.*Error: [A-Z_]+: ", "", str(recording.content["message"]))
    agrees = found.status == recorded and (found.status == "listening" or reason in found.output)
    if difference := DIFFERENCES.get(recording.name):
        assert not agrees, "it starts as TensorFlow Serving does: remove the difference"
        assert found.status == difference.status, found.output
        assert re.search(difference.message, found.output), found.output
    else:
        assert agrees, found.output


def test_sigterm_ends_the_process_with_the_intended_exit_code(root: Path):
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


def test_every_recorded_process_has_a_test():
    assert {r.name for r in RECORDINGS if r not in STARTUPS} == {"process_sigterm"}
