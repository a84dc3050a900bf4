"""A fixed number of decoder processes; each is replaced if it ends."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from api.decoding.decoder import Decoder
from api.decoding.errors import DecoderEndedError
from api.decoding.memory_budget import MemoryBudget

logger = logging.getLogger(__name__)

_T = TypeVar("_T")


class DecoderProcesses:
    """Runs jobs on files in child processes, one file at a time in each.

    If a file makes its decoder crash, hang or use too much memory, only that process is replaced.
    The file is rejected; no other file is affected.

    Args:
        count: the number of processes.
        memory: the budget that all decoders share.
        cpu_seconds: the CPU time that one file may take.
        max_pixels: the largest image, width times height.
        max_file_bytes: the largest file.
        observe_restart: called with the reason whenever a process has to be replaced.
    """

    def __init__(
        self,
        count: int,
        *,
        memory: MemoryBudget,
        cpu_seconds: int,
        max_pixels: int,
        max_file_bytes: int,
        observe_restart: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.count = count
        self._new_decoder = partial(
            Decoder,
            memory,
            cpu_seconds=cpu_seconds,
            max_pixels=max_pixels,
            max_file_bytes=max_file_bytes,
        )
        self._observe_restart = observe_restart
        self._closed = False
        # Each thread has its own process and waits for its replies.
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="decode")
        self._own = threading.local()
        self._decoders: set[Decoder] = set()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    async def start(self) -> None:
        """Start all processes and wait until they have started."""
        everybody = threading.Barrier(self.count)

        def start_own() -> None:
            # Makes each of these run in a different thread.
            everybody.wait()
            self._start_own()

        starts = [self._threads.submit(start_own) for _ in range(self.count)]
        await asyncio.gather(*map(asyncio.wrap_future, starts))

    def submit(self, job: Callable[[bytes], _T], data: bytes, *, deadline: float) -> "Future[_T]":
        """Run a job in a process.

        Args:
            job: a module-level function, or a partial of one, that the process can import.
            data: the file.
            deadline: by ``time.monotonic``; a process that has not finished by then is killed.

        Returns:
            The job's result, or one of these errors: an ``ImageError`` that the job raised;
            ``UndecodableImageError`` if the decoder crashed on the file or used too much CPU time;
            ``TooMuchMemoryError``; a ``DecodingError``.
        """
        future: Future[_T] = Future()
        try:
            self._threads.submit(self._run, future, job, data, deadline)
        except RuntimeError:
            future.set_exception(DecoderEndedError("the service is stopping"))
        return future

    def close(self) -> None:
        """Kill all processes; files that are being decoded are abandoned."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for decoder in list(self._decoders):
            decoder.kill()

    def _run(
        self, future: "Future[_T]", job: Callable[[bytes], _T], data: bytes, deadline: float
    ) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            # The operating system may have ended the process while it was idle.
            self._replace_ended()
            decoder = self._start_own()
            future.set_result(decoder.run(job, data, deadline=deadline))
        except Exception as error:  # noqa: BLE001 - passed on to the caller that waits
            future.set_exception(error)
        # The caller already has its result.
        self._replace_ended()

    def _start_own(self) -> Decoder:
        """This thread's process, started if necessary."""
        decoder: Decoder | None = getattr(self._own, "decoder", None)
        if decoder is None:
            if self._closed:
                raise DecoderEndedError("the service is stopping")
            try:
                decoder = self._new_decoder()
            except (OSError, EOFError) as error:
                raise DecoderEndedError("a decoder process could not be started") from error
            self._own.decoder = decoder
            self._decoders.add(decoder)
            if self.closed:
                # ``close`` was called meanwhile.
                decoder.kill()
        return decoder

    def _replace_ended(self) -> None:
        decoder: Decoder | None = getattr(self._own, "decoder", None)
        if decoder is None:
            return
        decoder.check_ended()
        if decoder.end_reason is None:
            return
        self._own.decoder = None
        self._decoders.discard(decoder)
        decoder.close()
        if self._closed:
            return
        logger.warning("replacing a decoder process", extra={"reason": decoder.end_reason})
        self._observe_restart(decoder.end_reason)
        try:
            self._start_own()
        except DecoderEndedError:
            logger.exception("a decoder process could not be replaced; the next file tries again")
