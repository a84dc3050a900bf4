"""An init container delays TensorFlow Serving until every model has a version."""

import re
import subprocess
from pathlib import Path

import pytest

from serving.contract import MODEL_NAMES
from tests.kubernetes.manifests import FOLDER, Manifests


@pytest.fixture
def script(tmp_path: Path) -> str:
    """The script of the init container, with a local folder for /models and short pauses."""
    (container,) = Manifests.read(FOLDER / "base").pods()["model-server"]["initContainers"]
    shell, option, text = container["command"]
    assert (shell, option) == ("bash", "-c")
    text, folders = re.subn(r"/models\b", str(tmp_path), text)
    text, pauses = re.subn(r"\bsleep 5\b", "sleep 0.02", text)
    assert (folders, pauses) == (1, 1)
    return text


def test_the_script_names_the_models_of_the_contract(script: str):
    (names,) = re.findall(r"for model in (.+); do", script)
    assert tuple(names.split()) == MODEL_NAMES


def test_the_script_ends_once_every_model_has_a_version(script: str, tmp_path: Path):
    for name in MODEL_NAMES:
        (tmp_path / name / "7").mkdir(parents=True)
    ended = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == ""


def test_the_script_waits_for_the_last_model_and_ignores_drafts(script: str, tmp_path: Path):
    *others, last = MODEL_NAMES
    for name in others:
        (tmp_path / name / "1").mkdir(parents=True)
    (tmp_path / last / ".draft-1").mkdir(parents=True)
    with subprocess.Popen(["bash", "-c", script], stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert f"waiting for a version of {last}" in waiting.stdout.readline()
        (tmp_path / last / ".draft-1").rename(tmp_path / last / "1")
        assert waiting.wait(timeout=60) == 0
