"""Shows the progress of a training: a bar with the remaining time, and a line per epoch."""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)

_SHOWN_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


class ProgressBar(keras.callbacks.Callback):  # type: ignore[misc]
    """One bar over all steps of a CNN's training. Without a terminal, only lines are logged.

    Args:
        name: name of the CNN.
        epochs: total number of epochs.
        steps_per_epoch: batches per epoch.
        epochs_done: epochs of the run that this one continues.
        on_progress: called after each step with the share of all steps that is done.
    """

    def __init__(
        self,
        name: str,
        *,
        epochs: int,
        steps_per_epoch: int,
        epochs_done: int = 0,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        super().__init__()
        self._epochs = epochs
        self._steps = epochs * steps_per_epoch
        self._steps_done = epochs_done * steps_per_epoch
        self._on_progress = on_progress
        console = Console(stderr=True, soft_wrap=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            # With on_progress, the caller shows the progress.
            disable=on_progress is not None or not console.is_terminal,
        )
        self._task = self._bar.add_task(name, total=self._steps, completed=self._steps_done)
        self._name = name

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the bar, however training ended."""
        self._bar.stop()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Advance the bar, and call ``on_progress``."""
        self._bar.advance(self._task)
        self._steps_done += 1
        if self._on_progress:
            self._on_progress(self._steps_done / self._steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Print the metrics."""
        measured = logs or {}
        figures = "  ".join(
            f"{key} {measured[key]:.4f}" for key in _SHOWN_METRICS if key in measured
        )
        line = f"{self._name}  epoch {epoch + 1}/{self._epochs}  {figures}"
        if self._bar.disable:
            logger.info(line)
        else:
            self._bar.console.print(line, markup=False)
