"""A file that crashes its decoder process affects neither other files nor the service."""

import multiprocessing
import multiprocessing.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from api.decoding.errors import DecoderEndedError, DecoderFaultError, DecodeTimeoutError
from api.decoding.memory_budget import MemoryBudget
from api.decoding.processes import DecoderProcesses
from api.decoding.worker import SMALL_BYTES
from imaging.decode_memory import decode_memory_bytes
from imaging.errors import DamagedImageError, TooMuchMemoryError, UndecodableImageError
from imaging.limits import DEFAULT_MAX_PIXELS
from tests import decoder_jobs
from tests.image_files import saved
from tests.processes import children, is_alive
from tests.service_process import wait_until

MEBIBYTE = 1024 * 1024


@dataclass
class Decoders:
    """Two decoder processes, their memory budget, and the reasons of their restarts."""

    processes: DecoderProcesses
    memory: MemoryBudget
    restarts: Counter[str] = field(default_factory=Counter)

    def run(self, job: Any, orders: bytes = b"", seconds: float = 60) -> Any:
        data = decoder_jobs.file(orders)
        future = self.processes.submit(job, data, deadline=time.monotonic() + seconds)
        return future.result(60)


@pytest.fixture
def decoders() -> Iterator[Decoders]:
    memory = MemoryBudget(2048 * MEBIBYTE)
    restarts: Counter[str] = Counter()
    processes = DecoderProcesses(
        2,
        memory=memory,
        cpu_seconds=1,
        max_pixels=DEFAULT_MAX_PIXELS,
        max_file_bytes=160 * MEBIBYTE,
        observe_restart=lambda reason: restarts.update([reason]),
    )
    yield Decoders(processes, memory, restarts)
    processes.close()


async def test_each_file_is_decoded_in_one_of_the_processes(decoders: Decoders):
    await decoders.processes.start()
    pids = set()
    for length in (0, 1, 100_000, 8 * MEBIBYTE):
        found, pid = decoders.run(decoder_jobs.size, bytes(length))
        assert found == length + len(decoder_jobs.file())
        pids.add(pid)
    assert os.getpid() not in pids
    assert len(pids) <= 2
    assert not decoders.restarts


def test_a_rejected_file_does_not_restart_its_decoder(decoders: Decoders):
    with pytest.raises(DamagedImageError, match=r"^abc is damaged$"):
        decoders.run(decoder_jobs.reject, b"abc")
    assert not decoders.restarts


def test_an_unexpected_error_is_reported_with_its_type_and_line_but_not_its_message(
    decoders: Decoders, caplog: pytest.LogCaptureFixture
):
    with pytest.raises(DecoderFaultError, match=r"^LookupError at api\.decoding\.worker:\d+$"):
        decoders.run(decoder_jobs.fail, b"Mustermann")
    (line,) = [each for each in caplog.records if each.name == "api.decoding.decoder"]
    assert line.__dict__["reason"].startswith("LookupError at api.decoding.worker:")
    assert not decoders.restarts


@pytest.mark.parametrize(
    ("job", "error", "reason"),
    [
        (decoder_jobs.crash, UndecodableImageError, "crash"),
        (decoder_jobs.be_killed, DecoderEndedError, "ended"),
        (decoder_jobs.spin, UndecodableImageError, "cpu-time"),
    ],
)
def test_a_decoder_that_crashes_or_is_killed_is_replaced(
    decoders: Decoders, job: Any, error: type[Exception], reason: str
):
    with pytest.raises(error):
        decoders.run(job)
    wait_until(lambda: decoders.restarts == {reason: 1})
    assert decoders.run(decoder_jobs.size)[0] > 0


def test_a_decoder_that_hangs_is_killed_at_the_deadline_of_its_file(decoders: Decoders):
    with pytest.raises(DecodeTimeoutError):
        decoders.run(decoder_jobs.sleep, seconds=0.2)
    wait_until(lambda: decoders.restarts == {"timeout": 1})
    assert all(decoders.run(decoder_jobs.size)[0] for _ in range(4))


def _signal_all(number: signal.Signals) -> None:
    pids = [each.pid for each in multiprocessing.active_children() if each.name == "decoder"]
    assert pids
    for pid in pids:
        os.kill(pid or 0, number)


async def test_a_decoder_that_reads_no_input_is_killed_at_the_deadline_of_its_file(
    decoders: Decoders,
):
    await decoders.processes.start()
    _signal_all(signal.SIGSTOP)
    timeouts = 0
    # The replacement of a stopped decoder may be chosen before the other stopped decoder.
    while timeouts < 2:
        try:
            # More than a pipe holds, so sending the file already blocks.
            decoders.run(decoder_jobs.size, bytes(8 * MEBIBYTE), seconds=0.3)
        except DecodeTimeoutError:
            timeouts += 1
    assert decoders.run(decoder_jobs.size)[0] == len(decoder_jobs.file())
    wait_until(lambda: decoders.restarts == {"timeout": timeouts})


async def test_files_are_decoded_after_idle_decoders_were_killed(decoders: Decoders):
    await decoders.processes.start()
    _signal_all(signal.SIGKILL)
    for child in multiprocessing.active_children():
        if child.name == "decoder":
            child.join(60)
    for _ in range(2):
        assert decoders.run(decoder_jobs.size)[0] == len(decoder_jobs.file())
    assert decoders.restarts["ended"] >= 1


async def test_hanging_decoders_are_killed_without_their_fork_server(decoders: Decoders):
    await decoders.processes.start()
    processes = [each for each in multiprocessing.active_children() if each.name == "decoder"]
    parents = [pid for pid in children(os.getpid()) if children(pid)]
    _signal_all(signal.SIGSTOP)
    for pid in parents:
        os.kill(pid, signal.SIGKILL)
    # Without the fork server, multiprocessing assumes that the decoders have ended, too.
    wait_until(lambda: all(each.exitcode is not None for each in processes))
    decoders.processes.close()
    wait_until(lambda: not any(is_alive(each.pid or 0) for each in processes))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_decoders_ignore_the_signals_that_stop_the_service(decoders: Decoders, name: str):
    # A closed terminal and a service manager send signals to the whole process group.
    future = decoders.processes.submit(
        decoder_jobs.sleep_shortly, decoder_jobs.file(), deadline=time.monotonic() + 60
    )
    wait_until(future.running)
    decoders.run(decoder_jobs.size)
    _signal_all(signal.Signals[name])
    assert future.result(60) == "slept"
    assert not decoders.restarts


def test_a_decoder_cannot_raise_the_hard_limits_of_the_service(decoders: Decoders):
    data_bytes, cpu_seconds = decoders.run(decoder_jobs.ask_for_more_than_is_allowed)
    assert data_bytes < 2**40
    assert cpu_seconds < 10**6


def test_a_file_may_be_as_large_as_the_settings_allow(decoders: Decoders):
    length = 128 * MEBIBYTE
    assert decoders.run(decoder_jobs.size, bytes(length))[0] > length


def test_a_file_that_exceeds_its_memory_limit_is_rejected(decoders: Decoders):
    assert decode_memory_bytes(decoder_jobs.file()) < SMALL_BYTES
    with pytest.raises(TooMuchMemoryError):
        decoders.run(decoder_jobs.take_memory, str(8 * SMALL_BYTES).encode())
    assert not decoders.restarts, "a failed allocation does not end the process"
    assert decoders.run(decoder_jobs.take_memory, b"1000") == 1000
    assert decoders.memory.held_bytes == 0


def test_an_image_that_needs_more_than_the_memory_budget_is_rejected_before_decoding():
    file = saved(np.zeros((4000, 4000, 3), np.uint8), "PNG", compress_level=1)
    assert decode_memory_bytes(file) > SMALL_BYTES
    processes = DecoderProcesses(
        1,
        memory=MemoryBudget(1024),
        cpu_seconds=1,
        max_pixels=DEFAULT_MAX_PIXELS,
        max_file_bytes=MEBIBYTE,
    )
    try:
        future = processes.submit(decoder_jobs.sleep, file, deadline=time.monotonic() + 60)
        with pytest.raises(TooMuchMemoryError):
            future.result(60)
    finally:
        processes.close()


def test_decoders_write_no_core_dumps(decoders: Decoders):
    assert decoders.run(decoder_jobs.core_limit) == (0, 0)


def test_closing_ends_decoding_in_progress(decoders: Decoders):
    future = decoders.processes.submit(
        decoder_jobs.sleep, decoder_jobs.file(), deadline=time.monotonic() + 60
    )
    wait_until(future.running)
    decoders.processes.close()
    with pytest.raises((DecoderEndedError, DamagedImageError)):
        future.result(60)


def test_a_cancelled_file_in_the_queue_is_not_decoded(decoders: Decoders):
    deadline = time.monotonic() + 60
    busy = [
        decoders.processes.submit(decoder_jobs.sleep, decoder_jobs.file(), deadline=deadline)
        for _ in range(2)
    ]
    wait_until(lambda: all(future.running() for future in busy))
    waiting = decoders.processes.submit(decoder_jobs.size, decoder_jobs.file(), deadline=deadline)
    assert waiting.cancel()
    decoders.processes.close()
    for future in busy:
        with pytest.raises((DecoderEndedError, DamagedImageError)):
            future.result(60)


@pytest.mark.parametrize("whole_folder", [True, False])
async def test_decoders_start_after_the_socket_of_the_fork_server_was_removed(
    decoders: Decoders, whole_folder: bool
):
    await decoders.processes.start()
    folder = Path(multiprocessing.util.get_temp_dir())
    if whole_folder:
        shutil.rmtree(folder)
    else:
        for socket in folder.glob("listener-*"):
            socket.unlink()
    for _ in range(3):
        with pytest.raises(DecoderEndedError):
            decoders.run(decoder_jobs.be_killed)
    assert decoders.run(decoder_jobs.size)[0] == len(decoder_jobs.file())


def test_decoders_start_with_a_long_path_of_the_temporary_folder(tmp_path: Path):
    """The path of the fork server's Unix socket has a maximum length."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    code = (
        "from api.decoding.decoder import Decoder; from api.decoding.memory_budget import"
        " MemoryBudget; Decoder(MemoryBudget(1), cpu_seconds=1, max_pixels=1, max_file_bytes=1)"
        ".close()"
    )
    subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"TMPDIR": str(long)}, check=True, timeout=60
    )
    assert list(long.iterdir()) == []


def test_decoders_end_with_a_process_that_does_not_close_them():
    """The worker processes of ``covidscan score`` do not close their decoders."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        decoder = pool.submit(decoder_jobs.decode_and_forget).result(30)
    wait_until(lambda: not is_alive(decoder))
