"""What decoder processes may be made to do by a file, without such a file.

Each job gets a file that can be read, and takes its orders from the bytes behind the image.
"""

# ruff: noqa: ARG001 - a job takes a file, whatever it does

import os
import resource
import signal
import time

import numpy as np

from api.decoding import limits
from api.decoding.memory_budget import MemoryBudget
from api.decoding.processes import DecoderProcesses
from imaging.errors import DamagedImageError
from tests.image_files import gradient, saved

_FILE = saved(gradient(), "PNG")


def file(orders: bytes = b"") -> bytes:
    """A file with orders."""
    return _FILE + orders


def _orders(data: bytes) -> bytes:
    return data.removeprefix(_FILE)


def size(data: bytes) -> tuple[int, int]:
    """How large the file is, and in which process that was found out."""
    return len(data), os.getpid()


def reject(data: bytes) -> None:
    raise DamagedImageError(f"{_orders(data).decode()} is damaged")


def fail(data: bytes) -> None:
    raise LookupError(_orders(data).decode())


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
    """As many bytes as the file says."""
    return int(np.ones(int(_orders(data)), np.uint8).sum())


def ask_for_more_than_is_allowed(data: bytes) -> tuple[int, int]:
    """The limits of memory and CPU time, once more has been asked for than the hard limits."""
    for kind in (resource.RLIMIT_DATA, resource.RLIMIT_CPU):
        soft, _ = resource.getrlimit(kind)
        resource.setrlimit(kind, (soft, soft))
    limits.limit_memory(2**40)
    limits.limit_cpu(10**6)
    return resource.getrlimit(resource.RLIMIT_DATA)[0], resource.getrlimit(resource.RLIMIT_CPU)[0]


def core_limit(data: bytes) -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_CORE)


_forgotten: list[DecoderProcesses] = []


def decode_and_forget() -> int:
    """Decode a file in a process that is left as it is; gives its number."""
    decoders = DecoderProcesses(
        1, memory=MemoryBudget(1), cpu_seconds=1, max_pixels=1_000_000, max_file_bytes=1_000_000
    )
    _forgotten.append(decoders)
    return decoders.submit(size, file(), deadline=time.monotonic() + 20).result()[1]
