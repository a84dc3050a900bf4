"""``covidscan serve`` as a process: it restarts its model server and leaves no process behind."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from api.http.access.api_keys import create_key
from tests.processes import children, descendants, is_alive, model_server_of
from tests.service_process import COVIDSCAN, running_service, wait_until


@pytest.fixture
def temporary_dir() -> Iterator[Path]:
    """A folder for temporary files with a path short enough for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="cs-") as folder:
        yield Path(folder)


@pytest.mark.usefixtures("heeding_hang_ups")
@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_processes_within_five_seconds(
    tiny_volume: Path,
    signal_number: signal.Signals,
    temporary_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("TMPDIR", str(temporary_dir))
    with running_service(tiny_volume) as (process, _):
        started = descendants(process.pid)
        assert len(started) > 3, "a model server, decoders and their fork server"
        assert list(temporary_dir.glob("covidscan-*/*.sock"))
        process.send_signal(signal_number)
        assert process.wait(timeout=5) == 0
        wait_until(lambda: not any(map(is_alive, started)), timeout_seconds=2)
    assert list(temporary_dir.iterdir()) == []


def test_sigterm_during_startup_leaves_no_temporary_files(tiny_volume: Path, temporary_dir: Path):
    process = subprocess.Popen(
        [*COVIDSCAN, "serve", "--port=0", f"--models-dir={tiny_volume}"],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(temporary_dir)},
    )
    wait_until(lambda: any(temporary_dir.iterdir()))
    process.terminate()
    assert process.wait(timeout=10) == 0
    assert list(temporary_dir.iterdir()) == []


def test_ctrl_c_in_a_terminal_ends_all_processes(tiny_volume: Path):
    """A terminal sends SIGINT to the whole foreground process group."""
    with running_service(tiny_volume) as (process, _):
        started = descendants(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=5) == 0
        wait_until(lambda: not any(map(is_alive, started)), timeout_seconds=2)


def test_a_killed_gateway_leaves_no_process_behind(tiny_volume: Path):
    with running_service(tiny_volume) as (process, _):
        started = descendants(process.pid)
        process.kill()
        wait_until(lambda: not any(map(is_alive, started)), timeout_seconds=5)


def test_a_killed_model_server_is_restarted_within_two_seconds(
    tiny_volume: Path, phantom_png: bytes, prove: Callable[[str], None]
):
    files = {"file": ("slice.png", phantom_png)}
    with running_service(tiny_volume) as (process, address):
        model_server, others = model_server_of(process.pid), children(process.pid)
        os.kill(model_server, signal.SIGKILL)
        wait_until(lambda: not is_alive(model_server))
        killed = time.monotonic()
        wait_until(lambda: not set(children(process.pid)) <= set(others), timeout_seconds=2)
        restarted_seconds = time.monotonic() - killed
        rejected = []
        while True:
            answer = httpx.post(f"{address}/predict", files=files, timeout=5)
            if answer.status_code == 200:
                break
            rejected.append(answer)
            assert time.monotonic() - killed < 30, "the restarted model server does not answer"
        back_seconds = time.monotonic() - killed
    for answer in rejected:
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.elapsed.total_seconds() < 5
    prove(
        f"kill -9 of the model server: started again after {restarted_seconds:.2f} s, answering"
        f" after {back_seconds:.2f} s, {len(rejected)} requests answered 503 meanwhile"
    )


def test_predict_prints_each_model_and_the_ensemble(
    tiny_volume: Path, phantom_png: bytes, tmp_path: Path
):
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(phantom_png)
    bad.write_bytes(b"no image")
    with running_service(tiny_volume) as (_, address):
        command = [*COVIDSCAN, "predict", f"--url={address}"]
        table = subprocess.run(
            [*command, str(good)], capture_output=True, text=True, check=True
        ).stdout
        mixed = subprocess.run(
            [*command, "--json", str(good), str(bad)], capture_output=True, text=True, check=False
        )
    for expected in ("vgg16", "resnet50", "xception", "ensemble", "good.png"):
        assert expected in table
    assert mixed.returncode == 1
    first, second = mixed.stdout.splitlines()
    assert '"prediction"' in first
    assert "unknown-format" in second


def test_predict_sends_the_api_key_from_the_environment(
    tiny_volume: Path, phantom_png: bytes, tmp_path: Path
):
    image = tmp_path / "image.png"
    image.write_bytes(phantom_png)
    key, record = create_key("reader")
    with running_service(tiny_volume, api_keys=record) as (_, address):
        command = [*COVIDSCAN, "predict", f"--url={address}", "--json", str(image)]
        answers = [
            subprocess.run(
                command,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=False,
            )
            for environment in ({}, {"COVIDSCAN_API_KEY": key})
        ]
    assert [answer.returncode for answer in answers] == [1, 0]
    assert "unauthorized" in answers[0].stdout
    assert '"prediction"' in answers[1].stdout


def test_predict_without_a_gateway_fails_with_a_one_line_message(tmp_path: Path):
    file = tmp_path / "image.png"
    file.write_bytes(b"x")
    result = subprocess.run(
        [*COVIDSCAN, "predict", "--url=http://127.0.0.1:1", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(
        "covidscan: the gateway at http://127.0.0.1:1 cannot be reached"
    )
