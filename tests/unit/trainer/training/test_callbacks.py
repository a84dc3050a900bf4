"""Which epoch is kept, and the learning rate of the next epoch."""

import keras
import numpy as np
import pytest

from trainer.recipe import Recipe
from trainer.training.callbacks import PlateauSince, best_epoch
from trainer.training.checkpoint import Epoch

RECIPE = Recipe(learning_rate=1.0, plateau_factor=0.5, plateau_patience=2, min_learning_rate=0.1)
MEASURED = [0.5, 0.6, 0.6, 0.55, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
"""The validation accuracy of each epoch."""


def epochs(*measured: tuple[float, float]) -> list[Epoch]:
    return [{"val_accuracy": accuracy, "val_loss": loss} for accuracy, loss in measured]


def test_the_best_epoch_has_the_highest_accuracy_and_among_equals_the_lowest_loss():
    history = epochs((0.8, 0.3), (0.9, 0.6), (0.9, 0.5), (0.9, 0.5), (0.7, 0.1))
    assert best_epoch(history, Recipe(select_by="accuracy")) == 2
    assert best_epoch(history, Recipe(select_by="loss")) == 4


def test_the_newest_epoch_is_kept_before_select_from_and_the_best_one_after_it():
    history = epochs((0.9, 0.1), (0.8, 0.2), (0.6, 0.4), (0.7, 0.3), (0.6, 0.3))
    recipe = Recipe(epochs=5, select_from=0.4)
    picked = [best_epoch(history[:done], recipe) for done in range(1, 6)]
    assert picked == [0, 1, 2, 3, 3]


def simulate_training(first_epoch: int, history: list[Epoch], learning_rate: float) -> None:
    """Call the callback from an epoch on as Keras would, with the accuracies in ``MEASURED``."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(learning_rate), "mse")
    plateau = PlateauSince(history, RECIPE)
    plateau.set_model(model)
    plateau.on_train_begin()
    for epoch in range(first_epoch, len(MEASURED)):
        learning_rate = float(np.asarray(model.optimizer.learning_rate.value))
        logs = {"val_accuracy": MEASURED[epoch]}
        plateau.on_epoch_end(epoch, dict(logs))
        history.append({**logs, "learning_rate": learning_rate})


def test_the_learning_rate_falls_on_a_plateau_but_not_below_its_minimum():
    history: list[Epoch] = []
    simulate_training(0, history, 1.0)
    rates = [epoch["learning_rate"] for epoch in history]
    assert rates == pytest.approx([1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.1])


@pytest.mark.parametrize("stopped_after", [1, 3, 4, 7, 9])
def test_a_resumed_training_has_the_same_learning_rates_as_an_uninterrupted_one(stopped_after: int):
    whole: list[Epoch] = []
    simulate_training(0, whole, 1.0)
    resumed = whole[:stopped_after]
    simulate_training(stopped_after, resumed, whole[stopped_after]["learning_rate"])
    assert resumed == whole
