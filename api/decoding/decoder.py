"""One decoder process, as the gateway uses it."""

import contextlib
import logging
import multiprocessing
import multiprocessing.util
import os
import signal
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Final, TypeVar

from api.decoding.errors import DecoderEndedError, DecoderFaultError, DecodeTimeoutError
from api.decoding.memory_budget import MemoryBudget
from api.decoding.worker import Reply, serve_decoder
from imaging.errors import TooMuchMemoryError, UndecodableImageError
from system.socket_paths import temporary_folder_for_sockets

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

_PRELOADED: Final = ["api.decoding.reading", "imaging.dicom.reader"]
"""Modules that the fork server imports once for all decoders."""
_CRASHES: Final = frozenset(
    -number
    for number in (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV)
)
_TOO_SLOW: Final = -signal.SIGXCPU
_UNKNOWN_END: Final = 255
"""The exit code that ``multiprocessing`` reports if it does not know the real one."""
_END_SECONDS: Final = 1.0
_FIRST_AT_EXIT: Final = 100
_MIN_WAIT_SECONDS: Final = 0.001
"""A timeout of zero would mean none."""
_TIMEVAL: Final = struct.Struct("@ll")
"""C's ``struct timeval``: seconds and microseconds."""
_SOCKET_BYTES: Final = 37
"""More than what multiprocessing appends: a private folder, and the name of its socket."""
_start_lock = threading.Lock()
"""Decoders are started from several threads, which share the fork server and its socket."""


class Decoder:
    """A process that decodes one file after another, and the pipe to it.

    Args:
        memory: the budget that all decoders share.
        cpu_seconds: the CPU time that one file may take.
        max_pixels: the largest image, width times height.
        max_file_bytes: the largest file.
    """

    def __init__(
        self, memory: MemoryBudget, *, cpu_seconds: int, max_pixels: int, max_file_bytes: int
    ) -> None:
        self._memory = memory
        context = _context()
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(
            target=serve_decoder,
            args=(child_end, cpu_seconds, max_pixels, max_file_bytes),
            daemon=True,
            name="decoder",
        )
        with _start_lock:
            _keep_socket()
            self._process.start()
        child_end.close()
        # At exit, multiprocessing sends children SIGTERM, which decoders ignore, and waits for
        # them.
        self._at_exit = multiprocessing.util.Finalize(
            self, self._process.kill, exitpriority=_FIRST_AT_EXIT
        )
        self.end_reason: str | None = None
        """Why the process can no longer be used; None while it can."""

    def run(self, job: Callable[[bytes], _T], data: bytes, *, deadline: float) -> _T:
        """Run a job on a file; raises the errors of ``DecoderProcesses.submit``."""
        try:
            self._limit_waits(deadline)
            self._pipe.send((job, data))
            kind, *payload = self._receive(deadline)
            if kind == Reply.NEEDS:
                kind, *payload = self._receive_with_memory(*payload, deadline=deadline)
        except (TimeoutError, BlockingIOError) as error:
            self.end_reason = "timeout"
            raise DecodeTimeoutError from error
        except (EOFError, ConnectionError) as error:
            raise self._exit_error() from error
        match kind:
            case Reply.DONE:
                result: _T = payload[0]
                return result
            case Reply.REJECTED:
                error_type, message = payload
                raise error_type(message)
            case Reply.NO_MEMORY:
                raise TooMuchMemoryError("the image takes too much memory to decode")
            case _:
                # Messages of exceptions are not logged; this is only a type and a line of our code.
                logger.error(
                    "unhandled exception in a decoder process", extra={"reason": payload[0]}
                )
                raise DecoderFaultError(payload[0])

    def check_ended(self) -> None:
        """Find out whether the process has ended while it was idle."""
        # An idle process sends nothing, so readable data means the end of the pipe.
        if self.end_reason is None and self._pipe.poll():
            self.end_reason = "ended"

    def kill(self) -> None:
        """Kill the process, whatever it does; a ``run`` in another thread then raises."""
        self._process.kill()
        if self._process.exitcode == _UNKNOWN_END and not self._pipe.poll():
            # The fork server has ended, so ``multiprocessing`` assumes that this process has, too.
            os.kill(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the process and release its resources."""
        self.kill()
        self._at_exit.cancel()
        self._process.join(_END_SECONDS)
        self._pipe.close()
        with contextlib.suppress(ValueError):
            # It did not end in time; the operating system will end it.
            self._process.close()

    def _receive_with_memory(self, needed_bytes: int, *, deadline: float) -> Any:  # noqa: ANN401
        """The decoder's reply after it learns whether it may use the memory."""
        if needed_bytes > self._memory.total_bytes:
            self._pipe.send(None)
            return self._receive(deadline)
        if not self._memory.acquire(needed_bytes, deadline=deadline):
            self._pipe.send(None)
            self._receive(time.monotonic() + _END_SECONDS)
            raise DecodeTimeoutError
        try:
            self._pipe.send(needed_bytes)
            return self._receive(deadline)
        finally:
            self._memory.release(needed_bytes)

    def _limit_waits(self, deadline: float) -> None:
        """Limit each wait for a process that has stopped in the middle of a message.

        A file is larger than the buffer of the pipe. A message that stops half-way fails at its
        second wait, so the whole message takes at most twice the time that is left.
        """
        left_seconds = max(_MIN_WAIT_SECONDS, deadline - time.monotonic())
        timeout = _TIMEVAL.pack(int(left_seconds), int(left_seconds % 1 * 1_000_000))
        end = socket.socket(fileno=self._pipe.fileno())
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        finally:
            end.detach()

    def _receive(self, deadline: float) -> Any:  # noqa: ANN401 - any result of a job
        if not self._pipe.poll(max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        return self._pipe.recv()

    def _exit_error(self) -> Exception:
        self._process.join(_END_SECONDS)
        code = self._process.exitcode
        if code == _TOO_SLOW:
            self.end_reason = "cpu-time"
            return UndecodableImageError("the image takes too long to decode")
        if code in _CRASHES:
            self.end_reason = "crash"
            return UndecodableImageError("the image's decoder crashed")
        self.end_reason = "ended"
        return DecoderEndedError(f"a decoder process ended with {code}")


def _context() -> Any:  # noqa: ANN401 - the two contexts have no common type
    """How processes are started: by a fork server that has only the decoder modules loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def _keep_socket() -> None:
    """Make sure that the fork server can be reached, if it has been started.

    A cleaner of temporary files may have removed its socket. Then a new fork server is started. The
    decoders of the old one keep working, but their exit codes are no longer known.
    """
    with _short_temporary_folder():
        # Created once per process, and kept.
        folder = Path(multiprocessing.util.get_temp_dir())
    folder.mkdir(mode=0o700, exist_ok=True)
    if not any(folder.glob("listener-*")):
        with contextlib.suppress(FileNotFoundError):
            # There is no public function. It fails on the missing socket, as its last step.
            forkserver._forkserver._stop()  # type: ignore[attr-defined]  # noqa: SLF001


@contextlib.contextmanager
def _short_temporary_folder() -> Iterator[None]:
    """Use another folder for temporary files if the usual path is too long for a socket."""
    usual = tempfile.gettempdir()
    tempfile.tempdir = temporary_folder_for_sockets(further_bytes=_SOCKET_BYTES)
    try:
        yield
    finally:
        tempfile.tempdir = usual
