"""Progress of a training: a bar with the time that is left, and a line for each epoch."""

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

_MEASURES = ("loss", "accuracy", "val_loss", "val_accuracy")


class ProgressBar(keras.callbacks.Callback):  # type: ignore[misc]
    """One bar over all steps of a CNN's training; where there is no terminal, lines alone.

    Args:
        name: of the CNN.
        epochs: in all.
        steps_per_epoch: batches in each.
        epochs_done: by the run that this one goes on from.
    """

    def __init__(
        self, name: str, *, epochs: int, steps_per_epoch: int, epochs_done: int = 0
    ) -> None:
        super().__init__()
        self._epochs = epochs
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
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(
            name, total=epochs * steps_per_epoch, completed=epochs_done * steps_per_epoch
        )
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
        """Take the bar away, however training ended."""
        self._bar.stop()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Move the bar."""
        self._bar.advance(self._task)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Print what was measured."""
        measured = logs or {}
        figures = "  ".join(f"{key} {measured[key]:.4f}" for key in _MEASURES if key in measured)
        line = f"{self._name}  epoch {epoch + 1}/{self._epochs}  {figures}"
        self._bar.console.print(line, markup=False)
