"""Fixtures that several folders share; each folder's own conftest has the rest."""

import fcntl
import functools
import json
import logging
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging.model_input import CHANNELS, IMAGE_SIZE
from serving.contract import INPUT_NAME, MODEL_NAMES, OUTPUT_NAME
from tests.first_minutes import watch_first_minutes

_PROOF = "proof"

_SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
SHARED_UPLOADS = _SHARED_DATA / "uploads"
SHARED_DICOM = _SHARED_DATA / "dicom"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests marked soak at length")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep parallel workers busy.

    One worker trains the demo models for ``test_demo.py`` while others run what does not need them.
    The unit tests come last, because no worker then waits long for another.
    """
    users = {item.path for item in items if "demo_dir" in getattr(item, "fixturenames", ())}

    def turn(item: pytest.Item) -> int:
        if item.path.name == "test_demo.py":
            return 0
        if "unit" in item.path.parts:
            return 3
        return 2 if item.path in users else 1

    items.sort(key=turn)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, each in an event loop of its own."""
    return "asyncio"


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether to test at length what the ordinary run tests in short."""
    return bool(request.config.getoption("--soak"))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the developer's environment nor a .env file decides what a test sees."""
    for name in [name for name in os.environ if name.startswith("COVIDSCAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _no_log_of_a_command_that_has_ended() -> Iterator[None]:
    """Commands log to their stderr, which a test has closed when the next one logs."""
    yield
    root = logging.getLogger()
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture
def heeding_hang_ups() -> Iterator[None]:
    """Processes that a test starts end at SIGHUP, also where ``nohup`` runs the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def prove(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Tell a figure that a test has established; it is printed when all tests are done."""
    return functools.partial(record_property, _PROOF)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    proofs = [
        proof
        for report in terminalreporter.getreports("passed")
        for name, proof in report.user_properties
        if name == _PROOF
    ]
    if proofs:
        terminalreporter.section("proofs")
        for proof in proofs:
            terminalreporter.write_line(str(proof))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def tiny_saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel of the contract's signature that loads in milliseconds."""
    import keras

    from trainer.publication.export import save

    keras.utils.set_random_seed(0)
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, CHANNELS), name=INPUT_NAME)
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3)(image))
    outputs = keras.layers.Dense(2, activation="softmax", name=OUTPUT_NAME)(features)
    path = tmp_path_factory.mktemp("tiny") / "saved_model"
    save(keras.Model(image, outputs, name="tiny"), path)
    return path


@pytest.fixture
def tiny_volume(tiny_saved_model: Path, tmp_path: Path) -> Path:
    """A volume with version 1 of each model of the contract, all tiny."""
    return fill_volume(tmp_path / "models", tiny_saved_model)


def fill_volume(models_dir: Path, saved_model: Path) -> Path:
    """Make version 1 of each model of the contract of one SavedModel; gives the volume."""
    for name in MODEL_NAMES:
        shutil.copytree(saved_model, models_dir / name / "1")
    return models_dir


@pytest.fixture
def phantom_png() -> bytes:
    """A phantom as a PNG file."""
    return draw_phantom_png()


def draw_phantom_png() -> bytes:
    """A phantom as a PNG file."""
    import cv2

    from trainer.demo.phantoms import draw_phantom

    phantom = draw_phantom(np.random.default_rng(0), covid=True)
    return cv2.imencode(".png", phantom.pixels)[1].tobytes()


@pytest.fixture(scope="session")
def demo_dir(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Where ``covidscan serve --demo`` has trained the real thing, once for the whole run."""
    if hasattr(request.config, "workerinput"):
        # Workers of one run share the folder above their own.
        root = tmp_path_factory.getbasetemp().parent / "demo"
    else:
        root = tmp_path_factory.mktemp("demo")
    root.mkdir(exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        seen = root / "first_minutes.json"
        if not seen.exists():
            seen.write_text(json.dumps(watch_first_minutes(root, draw_phantom_png())))
    return root


@pytest.fixture(scope="session")
def first_minutes(demo_dir: Path) -> dict[str, Any]:
    """What was seen of the service while the demo models were trained."""
    seen: dict[str, Any] = json.loads((demo_dir / "first_minutes.json").read_text())
    return seen


@pytest.fixture(scope="session")
def demo_models_dir(demo_dir: Path) -> Path:
    """A volume with the trained demo models."""
    return demo_dir / "models"


@pytest.fixture(scope="session")
def demo_dataset_dir(demo_dir: Path) -> Path:
    """The phantoms that the demo models learned from, ``COVID/`` and ``non-COVID/``."""
    return demo_dir / "data" / "phantoms"
