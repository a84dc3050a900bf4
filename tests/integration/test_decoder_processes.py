"""Decoder processes: a file that ends its own takes no other with it, and not the service."""

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
from imaging.errors import DamagedImageError, TooMuchMemoryError
from imaging.limits import DEFAULT_MAX_PIXELS
from tests import decoder_jobs
from tests.image_files import saved
from tests.processes import children, is_alive
from tests.service_process import wait_until

MEBIBYTE = 1024 * 1024


@dataclass
class Decoders:
    """Two processes with a budget, and why they were replaced."""

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


def test_a_file_that_is_rejected_costs_no_process(decoders: Decoders):
    with pytest.raises(DamagedImageError, match=r"^abc is damaged$"):
        decoders.run(decoder_jobs.reject, b"abc")
    assert not decoders.restarts


def test_of_an_unexpected_error_only_type_and_place_are_told(
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
        (decoder_jobs.crash, DamagedImageError, "crash"),
        (decoder_jobs.be_killed, DecoderEndedError, "ended"),
        (decoder_jobs.spin, DamagedImageError, "cpu-time"),
    ],
)
def test_a_process_that_ends_is_replaced(
    decoders: Decoders, job: Any, error: type[Exception], reason: str
):
    with pytest.raises(error):
        decoders.run(job)
    wait_until(lambda: decoders.restarts == {reason: 1})
    assert decoders.run(decoder_jobs.size)[0] > 0


def test_a_process_that_hangs_is_ended_at_the_files_deadline(decoders: Decoders):
    with pytest.raises(DecodeTimeoutError):
        decoders.run(decoder_jobs.sleep, seconds=0.2)
    wait_until(lambda: decoders.restarts == {"timeout": 1})
    assert all(decoders.run(decoder_jobs.size)[0] for _ in range(4))


def _signal_all(number: signal.Signals) -> None:
    pids = [each.pid for each in multiprocessing.active_children() if each.name == "decoder"]
    assert pids
    for pid in pids:
        os.kill(pid or 0, number)


async def test_a_process_that_takes_nothing_in_is_ended_at_the_files_deadline(decoders: Decoders):
    await decoders.processes.start()
    _signal_all(signal.SIGSTOP)
    timeouts = 0
    # A process that replaces a stopped one may be chosen before the other stopped one.
    while timeouts < 2:
        try:
            # More than a pipe holds, so sending it already waits for the process.
            decoders.run(decoder_jobs.size, bytes(8 * MEBIBYTE), seconds=0.3)
        except DecodeTimeoutError:
            timeouts += 1
    assert decoders.run(decoder_jobs.size)[0] == len(decoder_jobs.file())
    wait_until(lambda: decoders.restarts == {"timeout": timeouts})


async def test_a_process_that_was_killed_while_it_was_idle_costs_no_file(decoders: Decoders):
    await decoders.processes.start()
    _signal_all(signal.SIGKILL)
    for child in multiprocessing.active_children():
        if child.name == "decoder":
            child.join(60)
    for _ in range(2):
        assert decoders.run(decoder_jobs.size)[0] == len(decoder_jobs.file())
    assert decoders.restarts["ended"] >= 1


async def test_a_process_that_hangs_is_ended_without_the_one_that_forked_it(decoders: Decoders):
    await decoders.processes.start()
    processes = [each for each in multiprocessing.active_children() if each.name == "decoder"]
    parents = [pid for pid in children(os.getpid()) if children(pid)]
    _signal_all(signal.SIGSTOP)
    for pid in parents:
        os.kill(pid, signal.SIGKILL)
    # Of some that another test has ended the code is known.
    wait_until(lambda: all(each.exitcode is not None for each in processes))
    decoders.processes.close()
    wait_until(lambda: not any(is_alive(each.pid or 0) for each in processes))


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
def test_what_stops_the_service_lets_its_files_be_decoded(decoders: Decoders, name: str):
    # A terminal that is closed, and a service manager, signal all processes of a group.
    future = decoders.processes.submit(
        decoder_jobs.sleep_shortly, decoder_jobs.file(), deadline=time.monotonic() + 60
    )
    wait_until(future.running)
    decoders.run(decoder_jobs.size)
    _signal_all(signal.Signals[name])
    assert future.result(60) == "slept"
    assert not decoders.restarts


def test_hard_limits_of_the_service_are_kept_to(decoders: Decoders):
    data_bytes, cpu_seconds = decoders.run(decoder_jobs.ask_for_more_than_is_allowed)
    assert data_bytes < 2**40
    assert cpu_seconds < 10**6


def test_a_file_may_be_as_large_as_the_settings_let_it(decoders: Decoders):
    length = 128 * MEBIBYTE
    assert decoders.run(decoder_jobs.size, bytes(length))[0] > length


def test_a_file_that_takes_more_memory_than_it_was_given_is_rejected(decoders: Decoders):
    assert decode_memory_bytes(decoder_jobs.file()) < SMALL_BYTES
    with pytest.raises(TooMuchMemoryError):
        decoders.run(decoder_jobs.take_memory, str(8 * SMALL_BYTES).encode())
    assert not decoders.restarts, "a failed allocation ends no process"
    assert decoders.run(decoder_jobs.take_memory, b"1000") == 1000
    assert decoders.memory.held_bytes == 0


def test_an_image_that_needs_more_than_the_whole_budget_is_rejected_before_it_is_decoded():
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


def test_no_core_dump_holds_an_image(decoders: Decoders):
    assert decoders.run(decoder_jobs.core_limit) == (0, 0)


def test_closing_ends_what_is_in_progress(decoders: Decoders):
    future = decoders.processes.submit(
        decoder_jobs.sleep, decoder_jobs.file(), deadline=time.monotonic() + 60
    )
    wait_until(future.running)
    decoders.processes.close()
    with pytest.raises((DecoderEndedError, DamagedImageError)):
        future.result(60)


def test_a_file_that_nobody_waits_for_any_more_is_not_begun(decoders: Decoders):
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
async def test_decoders_start_although_a_cleaner_has_removed_their_socket(
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


def test_a_long_path_of_the_folder_for_temporary_files_does_not_matter(tmp_path: Path):
    """That of a Unix socket, which new processes are asked for through, is short."""
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


def test_a_process_that_does_not_close_its_decoders_ends_all_the_same():
    """As the workers of ``covidscan score`` do, which have nobody to close them."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        decoder = pool.submit(decoder_jobs.decode_and_forget).result(30)
    wait_until(lambda: not is_alive(decoder))
