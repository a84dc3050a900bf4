"""What decoder processes may be made to do by a file, without such a file.

Each job gets a file that can be read, and takes its orders from the bytes behind the image.
"""

# ruff: noqa: ARG001 - a job takes a file, whatever it does

import os
import resource
import signal
import time

import numpy as np

from serving.errors import DamagedImageError
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


def refuse(data: bytes) -> None:
    raise DamagedImageError(f"{_orders(data).decode()} is damaged")


def fail(data: bytes) -> None:
    raise LookupError(_orders(data).decode())


def crash(data: bytes, **_: object) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def be_killed(data: bytes) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(data: bytes, **_: object) -> None:
    time.sleep(60)


def spin(data: bytes) -> None:
    while True:
        pass


def take_memory(data: bytes) -> int:
    """As many bytes as the file says."""
    return int(np.ones(int(_orders(data)), np.uint8).sum())


def core_limit(data: bytes) -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_CORE)
