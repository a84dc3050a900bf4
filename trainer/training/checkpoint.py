"""The state that an interrupted training resumes from, and the best epoch so far.

A checkpoint is the state after an epoch: weights, the optimiser's moments, and the metrics of all
epochs so far. Everything else that training depends on follows from seed and step. The last write
of an epoch is the rename of ``history.json``, so a checkpoint is either complete or absent.
"""

import errno
import json
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from system.replacement import replacing
from trainer.errors import RunError

Epoch = dict[str, float]
"""The metrics of one epoch as Keras reports them: ``loss``, ``accuracy``, ``val_loss``, …"""

_HISTORY: Final = "history.json"
_BEST: Final = "best.weights.h5"
_BEST_CANDIDATE: Final = ".best.weights.h5"

_COPIES: Final = 3
"""Free space that a save requires, in states: the last one, the best one, and some room."""


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one CNN's training, in their own folder."""

    directory: Path

    def history(self) -> list[Epoch]:
        """Return the finished epochs; empty if training has not begun.

        Raises:
            RunError: the folder holds something else.
        """
        try:
            epochs: list[Epoch] = json.loads((self.directory / _HISTORY).read_text())
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.directory / _HISTORY} cannot be read; start a new run"
            ) from error
        return epochs

    def restore_last(self, model: keras.Model, history: list[Epoch]) -> None:
        """Restore a compiled model and its optimiser to their state after the last epoch."""
        self._load(model, self._state(len(history)))

    def restore_best(self, model: keras.Model) -> None:
        """Restore a model to its best epoch."""
        self._load(model, self.directory / _BEST)

    def save(self, model: keras.Model, history: list[Epoch], *, best: bool) -> None:
        """Save the state after an epoch; ``best`` if it is the best one so far.

        Raises:
            RunError: the folder cannot be written, or is nearly full. The previous epoch is still
                there.
        """
        try:
            self._save(model, history, best=best)
        except OSError as error:
            raise RunError(
                f"cannot write to {self.directory}: {error.strerror}; make room and add --resume"
            ) from error

    def finish(self) -> None:
        """Delete what only an unfinished training needs."""
        for state in self.directory.glob("epoch-*.weights.h5"):
            state.unlink()

    def _save(self, model: keras.Model, history: list[Epoch], *, best: bool) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        # Checked first, because HDF5 ends the process if the disk fills up during a write.
        if shutil.disk_usage(self.directory).free < _COPIES * _size_bytes(model):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        state = self._state(len(history))
        model.save_weights(state)
        if best:
            shutil.copyfile(state, self.directory / _BEST_CANDIDATE)
            (self.directory / _BEST_CANDIDATE).replace(self.directory / _BEST)
        with replacing(self.directory / _HISTORY) as file:
            file.write(json.dumps(history, indent=1).encode())
        for old in self.directory.glob("epoch-*.weights.h5"):
            if old != state:
                old.unlink()

    def _state(self, epochs: int) -> Path:
        return self.directory / f"epoch-{epochs:04d}.weights.h5"

    def _load(self, model: keras.Model, path: Path) -> None:
        try:
            model.load_weights(path)
        except (OSError, ValueError) as error:
            raise RunError(f"{path} cannot be read; start a new run") from error


class BestWeights:
    """The best epoch of a training that will not be resumed, kept in memory."""

    def __init__(self) -> None:
        self._weights: list[NDArray[Any]] = []

    def save(self, model: keras.Model, _history: list[Epoch], *, best: bool) -> None:
        """Keep the weights if the epoch is the best one so far."""
        if best:
            self._weights = model.get_weights()

    def restore_best(self, model: keras.Model) -> None:
        """Restore a model to its best epoch."""
        model.set_weights(self._weights)


def _size_bytes(model: keras.Model) -> int:
    variables = [*model.variables, *model.optimizer.variables]
    return sum(math.prod(each.shape) * np.dtype(each.dtype).itemsize for each in variables)
