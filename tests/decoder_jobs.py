"""Jobs that make a decoder process behave as a hostile file could make it behave.

Each job gets a readable file and takes its argument from the bytes after the image.
"""

# ruff: noqa: ARG001 - every job takes a file, even if it ignores it

import os
import resource
import signal
import time

import numpy as np

from api.decoding import process_limits
from api.decoding.memory_budget import MemoryBudget
from api.decoding.processes import DecoderProcesses
from imaging.errors import DamagedImageError
from tests.image_files import gradient, saved

_FILE = saved(gradient(), "PNG")


def file(argument: bytes = b"") -> bytes:
    """A readable file that carries an argument for a job."""
    return _FILE + argument


def _argument(data: bytes) -> bytes:
    return data.removeprefix(_FILE)


def size(data: bytes) -> tuple[int, int]:
    """The size of the file, and the pid of the process that ran the job."""
    return len(data), os.getpid()


def reject(data: bytes) -> None:
    raise DamagedImageError(f"{_argument(data).decode()} is damaged")


def fail(data: bytes) -> None:
    raise LookupError(_argument(data).decode())


def crash(data: bytes, **_: object) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def be_killed(data: bytes) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(data: bytes, **_: object) -> None:
    time.sleep(60)


def sleep_shortly(data: bytes) -> str:
    time.sleep(0.5)
    return "slept"


def spin(data: bytes) -> None:
    while True:
        pass


def take_memory(data: bytes) -> int:
    """Allocate as many bytes as the argument says; returns their number."""
    return int(np.ones(int(_argument(data)), np.uint8).sum())


def ask_for_more_than_is_allowed(data: bytes) -> tuple[int, int]:
    """Request more than the hard limits; returns the soft limits of memory and CPU time."""
    for kind in (resource.RLIMIT_DATA, resource.RLIMIT_CPU):
        soft, _ = resource.getrlimit(kind)
        resource.setrlimit(kind, (soft, soft))
    process_limits.limit_memory(2**40)
    process_limits.limit_cpu(10**6)
    return resource.getrlimit(resource.RLIMIT_DATA)[0], resource.getrlimit(resource.RLIMIT_CPU)[0]


def core_limit(data: bytes) -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_CORE)


_unclosed: list[DecoderProcesses] = []


def decode_and_forget() -> int:
    """Decode a file in a process that is never closed; returns its pid."""
    decoders = DecoderProcesses(
        1, memory=MemoryBudget(1), cpu_seconds=1, max_pixels=1_000_000, max_file_bytes=1_000_000
    )
    _unclosed.append(decoders)
    return decoders.submit(size, file(), deadline=time.monotonic() + 20).result()[1]
