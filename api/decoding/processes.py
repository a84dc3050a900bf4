"""A fixed number of decoder processes, started once, and replaced when one ends."""

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

    A file that makes its decoder crash, hang or take too much memory costs that one process, which
    is replaced. The file that it worked on is refused; no other is affected.

    Args:
        count: how many processes.
        memory: what their files may need together.
        cpu_seconds: of CPU time that one file may take.
        max_pixels: of an image, at most.
        max_file_bytes: of a file, at most.
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
        # Each thread has a process of its own, for whose answers it waits.
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="decode")
        self._own = threading.local()
        self._decoders: set[Decoder] = set()

    @property
    def closed(self) -> bool:
        """Whether no file is decoded any more."""
        return self._closed

    async def start(self) -> None:
        """Start all processes, and wait until they have been."""
        everybody = threading.Barrier(self.count)

        def start_own() -> None:
            # So that each of these runs in another thread.
            everybody.wait()
            self._start_own()

        starts = [self._threads.submit(start_own) for _ in range(self.count)]
        await asyncio.gather(*map(asyncio.wrap_future, starts))

    def submit(self, job: Callable[[bytes], _T], data: bytes, *, deadline: float) -> "Future[_T]":
        """Run a job in a process.

        Args:
            job: a function of a module, or a partial of one, that the process can import.
            data: the file.
            deadline: by ``time.monotonic``; a process that is not done by then is ended.

        Returns:
            The job's result, or one of these errors: an ``ImageError`` that the job raised;
            ``DamagedImageError`` where the decoder crashed on the file or took too much CPU time;
            ``TooMuchMemoryError``; a ``DecodingError``.
        """
        future: Future[_T] = Future()
        try:
            self._threads.submit(self._run, future, job, data, deadline)
        except RuntimeError:
            future.set_exception(DecoderEndedError("the service stops"))
        return future

    def close(self) -> None:
        """End all processes; files that are being decoded are given up."""
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
            # The operating system may have ended it while it was idle.
            self._replace_ended()
            decoder = self._start_own()
            future.set_result(decoder.run(job, data, deadline=deadline))
        except Exception as error:  # noqa: BLE001 - it is the answer of whoever waits
            future.set_exception(error)
        # The caller has its answer by now.
        self._replace_ended()

    def _start_own(self) -> Decoder:
        """This thread's process, started if there is none."""
        decoder: Decoder | None = getattr(self._own, "decoder", None)
        if decoder is None:
            if self._closed:
                raise DecoderEndedError("the service stops")
            try:
                decoder = self._new_decoder()
            except (OSError, EOFError) as error:
                raise DecoderEndedError("a decoder process could not be started") from error
            self._own.decoder = decoder
            self._decoders.add(decoder)
            if self.closed:
                # Meanwhile.
                decoder.kill()
        return decoder

    def _replace_ended(self) -> None:
        decoder: Decoder | None = getattr(self._own, "decoder", None)
        if decoder is None:
            return
        decoder.look()
        if decoder.end_reason is None:
            return
        self._own.decoder = None
        self._decoders.discard(decoder)
        decoder.close()
        if self._closed:
            return
        logger.warning("a decoder process is replaced", extra={"reason": decoder.end_reason})
        self._observe_restart(decoder.end_reason)
        try:
            self._start_own()
        except DecoderEndedError:
            logger.exception("the next file will start it")
