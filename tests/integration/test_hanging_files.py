"""Special files that block when opened, and a volume that hangs, under the whole service."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from serving.volume.model_card import CARD_PATH
from tests.service_process import COVIDSCAN, running_service, wait_until

pytestmark = pytest.mark.timeout(180)

# A hanging mount needs root, so functions that read from the volume are made to wait forever.
HANGING_VOLUME = """
import threading
from serving import volume
from serving.volume import model_card

def hang(*_, **__):
    threading.Event().wait()

model_card.read_regular_file = volume.version_dir = hang
from covidscan.main import app
app()
"""


@pytest.mark.parametrize(
    ("arguments", "setting", "reason"),
    [
        (["model-server", "--config={fifo}"], None, "cannot be read: not a regular file"),
        (["serve", "--port=0"], "COVIDSCAN_AUDIT_FILE", "cannot be written: not a regular file"),
        (
            ["serve", "--port=0"],
            "COVIDSCAN_TLS_CERTIFICATE_FILE",
            "cannot be read: not a regular file",
        ),
    ],
)
def test_a_fifo_in_place_of_a_file_exits_with_code_two_at_startup(
    tmp_path: Path, arguments: list[str], setting: str | None, reason: str
):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    environment = {setting: str(fifo)} if setting else {}
    if setting == "COVIDSCAN_TLS_CERTIFICATE_FILE":
        environment["COVIDSCAN_TLS_KEY_FILE"] = str(fifo)
    result = subprocess.run(
        [*COVIDSCAN, *(argument.format(fifo=fifo) for argument in arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 2
    assert reason in result.stderr
    assert "Traceback" not in result.stderr


def test_special_files_on_the_volume_delay_neither_predictions_nor_shutdown(
    tiny_volume: Path, phantom_png: bytes
):
    for name in ("vgg16", "resnet50", "xception"):
        (tiny_volume / name / "1" / CARD_PATH).parent.mkdir()
    (tiny_volume / "vgg16" / "1" / CARD_PATH).symlink_to("/dev/zero")
    os.mkfifo(tiny_volume / "resnet50" / "1" / CARD_PATH)
    (tiny_volume / "xception" / "1" / CARD_PATH).mkdir()
    (tiny_volume / ".draft").mkdir()
    os.mkfifo(tiny_volume / ".draft" / "saved_model.pb")
    with running_service(tiny_volume) as (process, address):
        (tiny_volume / ".draft").rename(tiny_volume / "vgg16" / "2")
        answer = httpx.post(f"{address}/predict", files={"file": ("x", phantom_png)}, timeout=10)
        assert answer.status_code == 200
        assert answer.json()["degraded"] is False
        assert answer.json()["demo"] is None
        wait_until(lambda: "not a regular file" in httpx.get(f"{address}/models").text)
        assert str(tiny_volume) not in httpx.get(f"{address}/models").text
        process.terminate()
        assert process.wait(timeout=5) == 0


def test_a_hanging_volume_delays_neither_predictions_nor_shutdown(
    tiny_volume: Path, phantom_png: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tests.service_process.COVIDSCAN", [sys.executable, "-c", HANGING_VOLUME])
    with running_service(tiny_volume) as (process, address):
        answer = httpx.post(f"{address}/predict", files={"file": ("x", phantom_png)}, timeout=10)
        assert answer.status_code == 200
        assert answer.json()["demo"] is None
        assert httpx.get(f"{address}/healthz").elapsed.total_seconds() < 1
        process.terminate()
        assert process.wait(timeout=5) == 0
