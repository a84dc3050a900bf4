"""Runs and supervises the embedded model server as a child process of the gateway."""

import asyncio
import contextlib
import logging
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from api.observability.log_format import LogFormat
from covidscan.service.private_folder import PrivateFolder
from serving.batching_parameters import EMBEDDED_BATCHING_FILE
from serving.precision import Precision

if TYPE_CHECKING:
    from covidscan.service.model_server.watchdog import HealthTiming

logger = logging.getLogger(__name__)

STOP_SECONDS: Final = 2.5
_FIRST_BACKOFF_SECONDS: Final = 0.1
_MAX_BACKOFF_SECONDS: Final = 5.0
_STABLE_SECONDS: Final = 10.0


class EmbeddedProcess:
    """Keeps ``covidscan model-server`` running on a private Unix socket.

    A process that dies is restarted, after pauses that double while it keeps dying. A process that
    no longer answers its health check, or whose socket has vanished, is ended first.

    The child runs in its own session. So Ctrl-C reaches only the parent, which ends both in order.
    The child watches the pipe on its standard input, so it never outlives a killed parent.

    Args:
        models_dir: the versioned volume.
        precision: of the model server's arithmetic.
        log_format: the child's log format. It logs to this process's stderr.
        timing: how long it may stay silent.
    """

    def __init__(
        self,
        models_dir: Path,
        precision: Precision,
        log_format: LogFormat,
        timing: "HealthTiming | None" = None,
    ) -> None:
        self._models_dir = models_dir
        self._precision = precision
        self._log_format = log_format
        self._timing = timing
        self._folder = PrivateFolder()
        self._socket = self._folder.path / "model-server.sock"
        self._process: asyncio.subprocess.Process | None = None
        self._supervision: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """The address of the model server."""
        return f"unix:{self._socket}"

    async def __aenter__(self) -> Self:
        """Start the process. It loads models while the gateway starts."""
        try:
            self._process = await self._start()
        except BaseException:
            self._folder.remove()
            raise
        self._supervision = asyncio.create_task(self._supervise(), name="supervise model server")
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process: SIGTERM, then SIGKILL if it does not stop in time."""
        try:
            if self._supervision:
                self._supervision.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._supervision
            if self._process and self._process.returncode is None:
                await self._end(self._process)
        finally:
            self._folder.remove()

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            logger.warning("killing the model server: it did not stop in time")
            process.kill()
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        self._folder.restore()
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "covidscan",
            "model-server",
            f"--models-dir={self._models_dir}",
            f"--socket={self._socket}",
            "--enable_batching=true",
            f"--precision={self._precision}",
            f"--batching_parameters_file={EMBEDDED_BATCHING_FILE}",
            f"--log-format={self._log_format}",
            # It has no replicas, so connections need not end for clients to find them.
            "--grpc_channel_arguments=",
            "--exit-with-stdin",
            stdin=asyncio.subprocess.PIPE,
            stderr=sys.stderr,
            start_new_session=True,
        )

    async def _wait_for_end(self, process: asyncio.subprocess.Process) -> int:
        """Wait until the process ends, or end it if it must be replaced; return its exit code."""
        # Imported late: importing gRPC takes CPU time that the starting process needs more.
        from covidscan.service.model_server.watchdog import (  # noqa: PLC0415
            HealthTiming,
            Trouble,
            wait_for_trouble,
        )

        ended = asyncio.create_task(process.wait(), name="model server ends")
        in_trouble = asyncio.create_task(
            wait_for_trouble(self._socket, self._timing or HealthTiming()),
            name="model server is in trouble",
        )
        try:
            await asyncio.wait((ended, in_trouble), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                trouble = in_trouble.result()
                logger.error("stopping the model server: it %s", trouble.value)
                if trouble is Trouble.NO_SOCKET:
                    # It can still answer calls on its open connections.
                    await self._end(process)
                else:
                    # A stopped process (SIGSTOP) reacts to no other signal.
                    process.kill()
            return await ended
        finally:
            in_trouble.cancel()
            ended.cancel()
            await asyncio.gather(in_trouble, ended, return_exceptions=True)

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_seconds = _FIRST_BACKOFF_SECONDS
        while self._process:
            started = loop.time()
            code = await self._wait_for_end(self._process)
            if loop.time() - started > _STABLE_SECONDS:
                backoff_seconds = _FIRST_BACKOFF_SECONDS
            logger.error(
                "the model server ended with code %d; restarting it in %.1f s",
                code,
                backoff_seconds,
            )
            await asyncio.sleep(backoff_seconds)
            backoff_seconds = min(2 * backoff_seconds, _MAX_BACKOFF_SECONDS)
            try:
                self._process = await self._start()
            except OSError:
                # The machine is out of memory or processes for the moment. The loop waits for the
                # dead process again, which returns at once, and retries after a longer pause.
                logger.exception("the model server could not be started")
