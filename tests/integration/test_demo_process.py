"""The child process that trains the demo models: its failures and its output."""

import subprocess
import sys
from pathlib import Path

import httpx

from tests.service_process import running_service, wait_until


def test_failed_training_is_reported_by_readyz_and_on_the_page(tmp_path: Path, phantom_png: bytes):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "resnet50").write_text("in the way")
    log = tmp_path / "log"
    with (
        running_service(tmp_path / "models", log=log, ready=False, demo=True) as (_, address),
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        wait_until(lambda: client.get("/readyz").json()["training"]["status"] == "failed")
        assert client.get("/readyz").json()["training"] == {
            "status": "failed",
            "share": None,
            "remaining_seconds": None,
        }
        page = client.get("/").text
        assert 'id="training-failed"' in page
        assert 'id="training"' not in page
        upload = client.post("/predict", files={"file": ("phantom.png", phantom_png)})
        assert (upload.status_code, upload.json()["title"]) == (503, "Models unavailable")
    assert "cannot be trained: cannot write to the volume of resnet50" in log.read_text()


def test_only_progress_is_written_to_stdout():
    program = (
        "import os, sys\n"
        "from covidscan.service.demo_process import reserve_stdout\n"
        "progress = reserve_stdout()\n"
        "print('of a library', flush=True)\n"
        "os.write(1, b'of native code\\n')\n"
        "progress.write('progress\\n')\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert finished.stdout == "progress\n"
    assert finished.stderr == "of a library\nof native code\n"
