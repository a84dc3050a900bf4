"""Trains missing demo models; ``covidscan serve --demo`` runs it as a child process.

    python -m covidscan.service.demo_process MODELS_DIR DATASET_DIR LOG_FORMAT

Standard output carries nothing but the progress, as one JSON object per line. The process ends
when its standard input is closed, so it never outlives the service.
"""

import dataclasses
import json
import logging
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Final, TextIO

from api.observability.log_format import LogFormat
from covidscan.exit_codes import FAILURE, INTERRUPTED
from covidscan.service.service_logs import configure_service_logging
from serving import volume
from serving.contract import MODEL_NAMES
from serving.errors import ServingError
from serving.training_progress import TrainingProgress

# Not __name__, which is __main__ here: of unknown loggers, the arguments are not logged.
logger = logging.getLogger("covidscan.service.demo_process")

_NICENESS: Final = 10
"""Serving requests takes priority."""


def main() -> int:
    """Train the missing models and return the exit code."""
    models_dir, dataset_dir, log_format = sys.argv[1:]
    progress = reserve_stdout()
    os.nice(_NICENESS)
    # A shell starts background jobs with SIGINT ignored, and child processes inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_stop_with_stdin, daemon=True).start()
    configure_service_logging(LogFormat(log_format))
    try:
        return _train(Path(models_dir), Path(dataset_dir), progress)
    except ServingError as error:
        logger.error("the demo models cannot be trained: %s", error)  # noqa: TRY400
        return FAILURE
    except KeyboardInterrupt:
        return INTERRUPTED


def reserve_stdout() -> TextIO:
    """Reserve standard output for the progress.

    Returns:
        A stream to the real standard output. All other output goes to standard error, including
        that of native libraries.
    """
    reserved = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return reserved


def _train(models_dir: Path, dataset_dir: Path, progress: TextIO) -> int:
    names = volume.missing(models_dir, MODEL_NAMES)
    # Checked before TensorFlow is loaded, which may take most of a minute on a busy machine.
    volume.check_writable(models_dir, *names)
    from trainer.native_output import start_tensorflow  # noqa: PLC0415 - it takes seconds

    start_tensorflow()
    from trainer.demo.models import make_demo  # noqa: PLC0415
    from trainer.errors import TrainerError  # noqa: PLC0415

    try:
        outcome = make_demo(dataset_dir, models_dir, names, tell=partial(_write, progress))
    except TrainerError as error:
        logger.error("the demo models cannot be trained: %s", error)  # noqa: TRY400
        return FAILURE
    return FAILURE if outcome.objections else 0


def _stop_with_stdin() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)


def _write(stream: TextIO, progress: TrainingProgress) -> None:
    stream.write(f"{json.dumps(dataclasses.asdict(progress))}\n")


if __name__ == "__main__":
    sys.exit(main())
