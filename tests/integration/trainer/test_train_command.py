"""``covidscan train`` reports every problem in one line that says what to do."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from covidscan.main import app
from serving import volume
from tests.service_process import wait_until
from trainer.demo.dataset import write_phantoms

REPOSITORY = Path(__file__).parents[3]

QUICK = (
    "--weights=none",
    "--initialisation=zero-init-residual",
    "--epochs=2",
    "--batch-size=8",
    "--force",
)


@pytest.fixture(scope="module")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dataset")
    write_phantoms(directory, seed=0, per_class=24)
    return directory


def start_training(
    dataset_dir: Path, root: Path, *options: str, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            *("-m", "tests.narrow_backbones", "train", "--model=vgg16"),
            f"--dataset={dataset_dir}",
            f"--models-dir={root / 'models'}",
            f"--run-dir={root / 'run'}",
            *options,
        ],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def last_words(process: subprocess.Popen[str]) -> str:
    """What a command that stopped itself said at the end, which is not a stack trace."""
    _, errors = process.communicate(timeout=300)
    assert "Traceback" not in errors
    return errors.strip().splitlines()[-1]


def test_a_failed_download_of_weights_is_reported_with_advice(tmp_path: Path, dataset_dir: Path):
    nowhere = "http://127.0.0.1:9"
    training = start_training(
        dataset_dir, tmp_path, https_proxy=nowhere, KERAS_HOME=str(tmp_path / "keras")
    )
    message = last_words(training)
    assert training.returncode == 2
    assert "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in message
    assert "--weights-dir" in message
    assert "--weights none" in message
    assert volume.versions(tmp_path / "models", "vgg16") == []


@pytest.fixture
def _ctrl_c_is_heard() -> Iterator[None]:
    """As in a terminal: what a shell starts in the background ignores SIGINT, and its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_ctrl_c_publishes_nothing_and_resume_continues(tmp_path: Path, dataset_dir: Path):
    training = start_training(dataset_dir, tmp_path, *QUICK)
    history = tmp_path / "run" / "vgg16" / "checkpoints" / "history.json"
    wait_until(history.exists, timeout_seconds=120)
    training.send_signal(signal.SIGINT)
    assert last_words(training) == "covidscan: stopped; no unfinished model was published"
    assert training.returncode == 130
    assert volume.versions(tmp_path / "models", "vgg16") == []

    resumed = start_training(dataset_dir, tmp_path, *QUICK, "--resume")
    output, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert volume.versions(tmp_path / "models", "vgg16") == [1]
    assert str(tmp_path / "run" / "report.html") in output.replace("\n", "")


def train(dataset_dir: Path, root: Path, *options: str) -> Result:
    """Run the command in this process, where TensorFlow is already loaded."""
    arguments = [f"--dataset={dataset_dir}", f"--models-dir={root / 'models'}"]
    return CliRunner().invoke(app, ["train", *arguments, f"--run-dir={root / 'run'}", *options])


def test_an_unwritable_volume_is_reported(tmp_path: Path, dataset_dir: Path):
    (tmp_path / "models").write_text("a file where a folder should be")
    result = train(dataset_dir, tmp_path, "--model=vgg16", *QUICK, "--epochs=1")
    assert result.exit_code == 2
    assert "cannot write to the volume of vgg16" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--recipe=missing.toml",), "no recipe missing.toml: give the path of a recipe file"),
        (("--epochs=0",), "epochs: input should be greater than or equal to 1"),
        (("--split=groups",), "needs --groups, a CSV of file and patient"),
        (("--split=files",), "needs --train-files and --test-files"),
        (("--dataset=elsewhere",), "elsewhere/COVID is missing"),
    ],
)
def test_invalid_options_are_reported_in_one_line(
    tmp_path: Path, dataset_dir: Path, options: tuple[str, ...], problem: str
):
    result = train(dataset_dir, tmp_path, *options)
    assert result.exit_code == 2
    assert problem in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "models").exists()
