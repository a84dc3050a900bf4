"""The contenders: how each is started, and how its answers are read."""

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.speed.images import Upload
from benchmarks.speed.process import Contender, StartError, last_words, running
from serving.contract import POSITIVE_CLASS

_PEERS: Final = Path(__file__).parents[1] / "peers"
_START_SECONDS: Final = 180.0
_REQUEST_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05

# One client for all: creating one takes so long that it would delay a service that is starting.
_client: Final = httpx.Client(timeout=_REQUEST_SECONDS, headers={"Connection": "close"})

Answer = dict[str, float]
"""Each model's probability of COVID."""


def _flat(answer: dict[str, Any]) -> Answer:
    return {name: float(value) for name, value in answer.items()}


def _ours(answer: dict[str, Any]) -> Answer:
    if answer["degraded"]:
        raise KeyError("not all models are ready yet")
    return {model["name"]: model["probabilities"][POSITIVE_CLASS] for model in answer["models"]}


@dataclass(frozen=True)
class Entry:
    """A contender in the table.

    Args:
        name: the name in the results.
        label: the label in the report.
        arguments: the arguments for Python; ``{models}`` and ``{port}`` are filled in.
        environment: in addition to the benchmark's own.
        read: reads the JSON of an answer.
        peer: its folder, whose requirements get their own virtual environment.
        tolerance: the largest difference of its probabilities from those of covidscan in f32.
        slow: takes seconds for one image, so it is measured with one client only.
        root: the working directory, where Python finds covidscan.
    """

    name: str
    label: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[dict[str, Any]], Answer] = _flat
    peer: str | None = None
    tolerance: float = 1e-3
    slow: bool = False
    root: Path | None = None

    @property
    def requirements(self) -> Path | None:
        """The requirements file, for a peer."""
        return _PEERS / self.peer / "requirements.txt" if self.peer else None


def _covidscan(precision: str, tolerance: float) -> Entry:
    arguments = ("-m", "covidscan", "serve", "--port={port}", "--models-dir={models}/volume")
    return Entry(
        f"covidscan-{precision}",
        f"**covidscan**, {precision}",
        arguments,
        # wrk reuses idle connections, and counts closed ones as failed.
        {"COVIDSCAN_PRECISION": precision, "COVIDSCAN_IDLE_TIMEOUT_SECONDS": "60"},
        _ours,
        tolerance=tolerance,
    )


def _peer(folder: str, label: str, *options: str, name: str = "", slow: bool = False) -> Entry:
    script = str(_PEERS / folder / "serve.py")
    arguments = (script, "--models={models}", "--port={port}", *options)
    return Entry(name or folder, label, arguments, peer=folder, slow=slow)


def other_checkout(name: str, root: Path) -> Entry:
    """Return an entry for another checkout of covidscan, such as an earlier version.

    Args:
        name: its name in the table.
        root: its folder.
    """
    label = f"covidscan: {name}"
    return dataclasses.replace(F32, name=name, label=label, tolerance=1e-3, root=root.resolve())


F32: Final = _covidscan("f32", tolerance=1e-6)
BF16: Final = _covidscan("bf16", tolerance=0.05)
REFERENCE_EACH: Final = _peer(
    "django_reference",
    "Django, models loaded in each request",
    "--load=each-request",
    name="django-each-request",
    slow=True,
)
REFERENCE_ONCE: Final = _peer(
    "django_reference", "Django, models loaded once", "--load=once", name="django-once"
)
PEERS: Final = (
    _peer("litserve_peer", "LitServe", name="litserve"),
    _peer("bentoml_peer", "BentoML", name="bentoml"),
    _peer("ray_serve_peer", "Ray Serve", name="ray-serve"),
)
PEERS_ON_OUR_ENGINE: Final = (
    _peer("litserve_peer", "LitServe on OpenVINO", "--engine=openvino", name="litserve-openvino"),
    _peer("bentoml_peer", "BentoML on OpenVINO", "--engine=openvino", name="bentoml-openvino"),
    _peer("ray_serve_peer", "Ray Serve on OpenVINO", "--engine=openvino", name="ray-openvino"),
)
ALL: Final = (F32, BF16, REFERENCE_EACH, REFERENCE_ONCE, *PEERS, *PEERS_ON_OUR_ENGINE)


def install(entry: Entry, directory: Path) -> Path:
    """Return the interpreter for an entry, creating a peer's environment if it is missing.

    Raises:
        StartError: pip could not install it. The message is pip's.
    """
    if entry.requirements is None or entry.peer is None:
        return Path(sys.executable)
    environment = directory / "environments" / entry.peer
    python, done = environment / "bin" / "python", environment / ".installed"
    requirements = entry.requirements.read_text()
    if not done.is_file() or done.read_text() != requirements:
        pip = [str(python), "-m", "pip", "install", "--quiet", "-r", str(entry.requirements)]
        for command in ([sys.executable, "-m", "venv", "--clear", str(environment)], pip):
            told = subprocess.run(command, capture_output=True, text=True, check=False)
            if told.returncode:
                raise StartError(f"cannot be installed: {told.stderr.strip()[-600:]}")
        done.write_text(requirements)
    return python


@contextmanager
def started(
    entry: Entry, directory: Path, port: int, probe: Upload
) -> Iterator[tuple[Contender, float]]:
    """Run an entry; yield it with the seconds from its start to its first answer.

    Raises:
        StartError: it does not answer.
    """
    python = install(entry, directory)
    values = {"models": str(directory / "models"), "port": str(port)}
    command = [str(python), *(argument.format(**values) for argument in entry.arguments)]
    log = directory / f"{entry.name}.log"
    began = time.perf_counter()
    with running(command, port, entry.environment, log, entry.root) as contender:
        while True:
            try:
                ask(entry, port, probe)
                break
            except (httpx.HTTPError, KeyError):
                if contender.process.poll() is not None:
                    raise StartError(f"ended at once: {last_words(log)}") from None
                if time.perf_counter() - began > _START_SECONDS:
                    raise StartError(f"does not answer: {last_words(log)}") from None
                time.sleep(_POLL_SECONDS)
        yield contender, time.perf_counter() - began


def ask(entry: Entry, port: int, upload: Upload) -> Answer:
    """Request one answer.

    Raises:
        httpx.HTTPError: there is no answer.
        KeyError: the answer is incomplete.
    """
    response = _client.post(
        f"http://127.0.0.1:{port}/predict", files={"file": (upload.path.name, upload.content)}
    )
    return entry.read(response.raise_for_status().json())


def largest_difference(entry: Entry, port: int, expected: Mapping[Path, Answer]) -> float:
    """Return the largest difference of an entry's probabilities from the expected ones.

    Raises:
        StartError: it exceeds the tolerance, so the comparison would be unfair.
    """
    differences = []
    for path, answer in expected.items():
        given = ask(entry, port, Upload(path.suffix, path))
        differences += [abs(given[name] - value) for name, value in answer.items()]
    largest = max(differences)
    # Written so that a NaN, for which every comparison is false, is rejected as well.
    if not largest <= entry.tolerance:
        raise StartError(f"answers differ by {largest:.2g}")
    return largest
