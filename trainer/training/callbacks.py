"""Callbacks at the beginning and end of epochs that make a stopped training resumable."""

import time
from typing import Any

import keras

from trainer.recipe import Recipe
from trainer.training.checkpoint import BestWeights, Checkpoints, Epoch

_DRAWS_PER_EPOCH = 1 << 24
"""More than the steps of an epoch."""


class DropoutByEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Makes dropout depend on seed, layer, epoch and step alone."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Set every layer's random state to that of the epoch's beginning."""
        dropouts = [layer for layer in self.model.layers if isinstance(layer, keras.layers.Dropout)]
        for index, layer in enumerate(dropouts):
            layer.seed_generator.state.assign([self._seed + index, epoch * _DRAWS_PER_EPOCH])


class PlateauSince(keras.callbacks.ReduceLROnPlateau):  # type: ignore[misc]
    """``ReduceLROnPlateau`` that knows the epochs before a resume, so its patience carries over."""

    def __init__(self, history: list[Epoch], recipe: Recipe) -> None:
        super().__init__(
            f"val_{recipe.select_by}",
            mode="min" if recipe.select_by == "loss" else "max",
            factor=recipe.plateau_factor,
            patience=recipe.plateau_patience,
            min_lr=recipe.min_learning_rate,
        )
        self._before = list(history)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Replay the epochs before the resume, without changing the learning rate."""
        super().on_train_begin(logs)
        learning_rate = _learning_rate(self.model)
        for epoch, measured in enumerate(self._before):
            self.model.optimizer.learning_rate = measured["learning_rate"]
            self.on_epoch_end(epoch, dict(measured))
        self.model.optimizer.learning_rate = learning_rate


class CheckpointEachEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the state after each epoch, and the best one.

    Args:
        checkpoints: where to save them.
        history: the epochs before a resume. Each new epoch is appended.
        recipe: which validation metric decides which epoch is better.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | BestWeights,
        history: list[Epoch],
        recipe: Recipe,
    ) -> None:
        super().__init__()
        self._checkpoints = checkpoints
        self._history = history
        self._recipe = recipe
        self._started = 0.0
        self._learning_rate = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Start the clock, and record the learning rate before anything lowers it."""
        self._started = time.perf_counter()
        self._learning_rate = _learning_rate(self.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Record the metrics, and save the weights."""
        if self.model.stop_training:  # the loss is not a number
            return
        self._history.append(
            {
                **{key: float(value) for key, value in (logs or {}).items()},
                "learning_rate": self._learning_rate,
                "duration_seconds": time.perf_counter() - self._started,
            }
        )
        best = best_epoch(self._history, self._recipe) == len(self._history) - 1
        self._checkpoints.save(self.model, self._history, best=best)


def best_epoch(history: list[Epoch], recipe: Recipe) -> int:
    """Return the index of the epoch to keep. Ties in accuracy go to the lower loss.

    Before the first epoch that the recipe allows to be selected, it is the latest one.
    """
    first = min(int(recipe.select_from * recipe.epochs), len(history) - 1)
    candidates = range(first, len(history))
    if recipe.select_by == "loss":
        return min(candidates, key=lambda epoch: history[epoch]["val_loss"])
    return max(
        candidates,
        key=lambda epoch: (history[epoch]["val_accuracy"], -history[epoch]["val_loss"]),
    )


def _learning_rate(model: keras.Model) -> float:
    # Plain float() rejects a variable that is distributed over several GPUs.
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
