"""The child process that decodes files, one after another, within limits.

The messages between it and its parent process::

    parent                            child
    (job, data)                ──▶
                               ◀──    (NEEDS, bytes)   only where it is more than SMALL_BYTES
    bytes, or None for no      ──▶
                               ◀──    (DONE, result) | (REJECTED, type, message) | (NO_MEMORY,)
                                      | (FAILED, where)
"""

from collections.abc import Callable
from enum import IntEnum
from multiprocessing.connection import Connection
from typing import Any, Final

from api.decoding import process_limits
from imaging.decode_memory import decode_memory_bytes
from imaging.errors import ImageError
from system.own_code import places_in_own_code
from system.signals import ignore_stop_signals

Job = Callable[[bytes], Any]
"""A function of a file's bytes: a module-level function, or a partial of one."""

SMALL_BYTES: Final = 64 * 1024 * 1024
"""Memory that a decoder may use for a file without asking."""
_HEADER_BYTES: Final = 96 * 1024 * 1024
"""Memory for reading a file's header."""
_FILE_COPIES: Final = 2
"""Copies of a file in memory while it is received."""


class Reply(IntEnum):
    """The kinds of messages that a worker sends."""

    NEEDS = 0
    DONE = 1
    REJECTED = 2
    NO_MEMORY = 3
    FAILED = 4


def serve_decoder(
    connection: "Connection[Any, Any]", cpu_seconds: int, max_pixels: int, max_file_bytes: int
) -> None:
    """Decode files until the connection is closed.

    Args:
        connection: to the parent process.
        cpu_seconds: the CPU time that one file may take; the kernel ends a worker that exceeds it.
        max_pixels: the largest image, width times height.
        max_file_bytes: the largest file.
    """
    # Signals that stop a service often reach all its processes, but only the parent ends this one.
    ignore_stop_signals()
    process_limits.prepare_process()
    idle_bytes = _HEADER_BYTES + _FILE_COPIES * max_file_bytes + SMALL_BYTES
    process_limits.limit_memory(idle_bytes)
    while True:
        try:
            job, data = connection.recv()
            process_limits.limit_cpu(cpu_seconds)
            connection.send(_answer(connection, job, data, max_pixels, idle_bytes))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _answer(
    connection: "Connection[Any, Any]", job: Job, data: bytes, max_pixels: int, idle_bytes: int
) -> tuple[object, ...]:
    try:
        needed_bytes = decode_memory_bytes(data, max_pixels=max_pixels)
        if needed_bytes <= SMALL_BYTES:
            return Reply.DONE, job(data)
        connection.send((Reply.NEEDS, needed_bytes))
        if connection.recv() is None:
            return (Reply.NO_MEMORY,)
        process_limits.limit_memory(needed_bytes)
        try:
            return Reply.DONE, job(data)
        finally:
            process_limits.limit_memory(idle_bytes)
    except ImageError as error:
        return Reply.REJECTED, type(error), str(error)
    except MemoryError:
        return (Reply.NO_MEMORY,)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:  # noqa: BLE001 - sent to the parent, which raises it
        return Reply.FAILED, f"{type(error).__name__} at {places_in_own_code(error)[-1]}"
