"""Trains demo models in a child process while the service is running."""

import asyncio
import contextlib
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from api.observability.log_format import LogFormat
from api.training_progress import ModelTraining
from covidscan.exit_codes import INTERRUPTED
from serving import volume
from serving.contract import MODEL_NAMES
from serving.training_progress import TrainingProgress
from trainer.demo.defaults import PHANTOMS_DIR

logger = logging.getLogger(__name__)

_STOP_SECONDS: Final = 5.0
_LOGGED_STEP: Final = 0.1
_AT_THE_START: Final = TrainingProgress(
    share=0.0, remaining_seconds=300.0, next_model_seconds=100.0
)
"""Measured on two cores; used until the child process reports its own estimate."""


class DemoTraining:
    """Trains demo models for models without a version, and reports the progress to the gateway.

    Args:
        models_dir: the versioned volume.
        log_format: the child's log format. It logs to this process's stderr.
        training: the progress that the gateway reads.
    """

    def __init__(self, models_dir: Path, log_format: LogFormat, training: ModelTraining) -> None:
        self._models_dir = models_dir
        self._log_format = log_format
        self._training = training
        self._process: Process | None = None
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start the child process if a model is missing."""
        missing = volume.missing(self._models_dir, MODEL_NAMES)
        if missing:
            logger.info("training demo models in the background: %s", ", ".join(missing))
            self._training.progress = _AT_THE_START
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "covidscan.service.demo_process",
                str(self._models_dir),
                str(PHANTOMS_DIR),
                self._log_format.value,
                stdin=PIPE,
                stdout=PIPE,
                stderr=sys.stderr,
                start_new_session=True,
            )
            self._process = process
            self._following = asyncio.create_task(self._follow(process), name="demo training")
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the child process. It publishes no unfinished model."""
        if self._process is None or self._following is None:
            return
        if self._process.returncode is None and self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._following, _STOP_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _follow(self, process: Process) -> None:
        if process.stdout is not None:
            await self._read_progress(process.stdout)
        code = await process.wait()
        self._training.progress = None
        if code == 0:
            logger.info("all demo models are trained")
        elif code != INTERRUPTED:
            self._training.failed = True
            logger.error("training the demo models failed with exit code %d", code)

    async def _read_progress(self, lines: asyncio.StreamReader) -> None:
        logged = 0.0
        async for line in lines:
            progress = TrainingProgress(**json.loads(line))
            self._training.progress = progress
            if progress.share - logged >= _LOGGED_STEP:
                logged = progress.share
                logger.info(
                    "demo models: %.0f %% trained, about %.0f s left",
                    100 * progress.share,
                    progress.remaining_seconds,
                )
