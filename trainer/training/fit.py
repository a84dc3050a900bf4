"""Trains one CNN."""

import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
from numpy.typing import NDArray

from serving.contract import CLASS_NAMES
from trainer.architectures import build, standardise
from trainer.dataset.images import LabelledImages
from trainer.dataset.split import Split
from trainer.errors import DatasetError, RecipeError, TrainingError
from trainer.recipe import Recipe
from trainer.training import hardware
from trainer.training.batches import steps_per_epoch, training_batches
from trainer.training.callbacks import CheckpointEachEpoch, DropoutByEpoch, PlateauSince
from trainer.training.checkpoint import BestWeights, Checkpoints, Epoch
from trainer.training.convolution_gradient import fast_gradients
from trainer.training.precise_batch_norm import PreciseBatchNorm
from trainer.training.progress import ProgressBar

logger = logging.getLogger(__name__)

_VALIDATION_BATCH_SIZE: Final = 32
_WARM_UP_FACTOR: Final = 20
"""The warm-up starts at the learning rate divided by this."""
_NOT_DECAYED = ["bias", "gamma", "beta"]


@dataclass(frozen=True)
class Trained:
    """A CNN in its best epoch, converted to 32 bits, and the metrics of every epoch."""

    model: keras.Model
    history: list[Epoch]


def train(
    name: str,
    split: Split,
    recipe: Recipe,
    *,
    seed: int,
    checkpoints: Checkpoints | BestWeights,
    weights_dir: Path | None = None,
    tensorboard_dir: Path | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Trained:
    """Train one CNN, from the beginning or from its last checkpoint.

    A training that stopped after any epoch and is resumed ends with the same weights as one that
    did not stop.

    Args:
        name: one of ``serving.contract.MODEL_NAMES``.
        split: the training set to learn from, and the validation set to select the epoch.
        recipe: how to train.
        seed: the random seed of initialisation, order, augmentation and dropout.
        checkpoints: where to save the state after each epoch, or only the best weights.
        weights_dir: folder of the ImageNet weights. Without it, they are downloaded.
        tensorboard_dir: folder for TensorBoard's events.
        on_progress: called after each step with the share of all steps that is done.

    Raises:
        DatasetError: there are fewer training images than a batch needs.
        RecipeError: the ImageNet weights are not available.
        RunError: the checkpoints cannot be read.
        TrainingError: the loss became infinite or not a number.
    """
    if len(split.train) < recipe.batch_size:
        raise DatasetError(
            f"{len(split.train)} training images are fewer than a batch of {recipe.batch_size};"
            " add images or choose a smaller batch"
        )
    strategy = hardware.strategy()
    replicas = hardware.replicas()
    if recipe.batch_size % replicas:
        raise RecipeError(
            f"{replicas} GPUs cannot share a batch of {recipe.batch_size} evenly; choose a multiple"
            f" of {replicas} with --batch-size"
        )
    keras.utils.set_random_seed(seed)
    with strategy.scope(), hardware.precision(recipe):
        model = build(name, recipe, weights_dir=weights_dir)
        if recipe.weights == "none" and recipe.initialisation == "zero-init-residual":
            standardise(model, split.train.images)
        _compile(model, recipe, steps_per_epoch(split.train, recipe))
    history = checkpoints.history() if isinstance(checkpoints, Checkpoints) else []
    logger.info(
        "training %s: %d parameters, epoch %d of %d",
        name,
        model.count_params(),
        min(len(history) + 1, recipe.epochs),
        recipe.epochs,
    )
    if len(history) < recipe.epochs:
        _fit(
            model,
            split,
            recipe,
            seed=seed,
            checkpoints=checkpoints,
            history=history,
            tensorboard_dir=tensorboard_dir,
            on_progress=on_progress,
        )
    checkpoints.restore_best(model)
    if isinstance(checkpoints, Checkpoints):
        checkpoints.finish()
    return Trained(_in_single_precision(model, name, recipe), history)


def _compile(model: keras.Model, recipe: Recipe, steps: int) -> None:
    optimizer = keras.optimizers.Adam(
        _learning_rate(recipe, steps),
        beta_1=recipe.beta_1,
        beta_2=recipe.beta_2,
        epsilon=recipe.epsilon,
        weight_decay=recipe.weight_decay or None,
        global_clipnorm=recipe.clip_norm or None,
    )
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=_NOT_DECAYED)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        # Keras would choose XLA, which is several times slower on a CPU.
        jit_compile="auto" if hardware.gpus() else False,
    )
    _create_all_variables(model)


def _create_all_variables(model: keras.Model) -> None:
    """Create variables now: creating them inside the first step makes TensorFlow trace it twice."""
    model.optimizer.build(model.trainable_variables)
    undecided = np.full((1, len(CLASS_NAMES)), 1 / len(CLASS_NAMES), np.float32)
    model.compute_metrics(x=None, y=undecided, y_pred=undecided)
    model.reset_metrics()


def _learning_rate(
    recipe: Recipe, steps_per_epoch: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    if recipe.schedule != "cosine":
        return recipe.learning_rate
    steps = recipe.epochs * steps_per_epoch
    warmup_steps = math.ceil(recipe.warmup_share * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / _WARM_UP_FACTOR
        if warmup_steps
        else recipe.learning_rate,
        warmup_target=recipe.learning_rate if warmup_steps else None,
        warmup_steps=warmup_steps,
        decay_steps=max(1, steps - warmup_steps),
        alpha=min(1.0, recipe.min_learning_rate / recipe.learning_rate),
    )


def _fit(
    model: keras.Model,
    split: Split,
    recipe: Recipe,
    *,
    seed: int,
    checkpoints: Checkpoints | BestWeights,
    history: list[Epoch],
    tensorboard_dir: Path | None,
    on_progress: Callable[[float], None] | None,
) -> None:
    steps = steps_per_epoch(split.train, recipe)
    validation_batch_size = _validation_batch_size(len(split.validation), hardware.replicas())
    first_epoch = len(history)
    callbacks: list[keras.callbacks.Callback] = [
        DropoutByEpoch(seed),
        keras.callbacks.TerminateOnNaN(),
    ]
    if recipe.precise_batch_norm:
        callbacks.append(PreciseBatchNorm(split.train.images, seed=seed))
    if recipe.schedule == "plateau":
        callbacks.append(PlateauSince(history, recipe))
    if tensorboard_dir:
        callbacks.append(keras.callbacks.TensorBoard(str(tensorboard_dir), write_graph=False))
    progress = ProgressBar(
        model.name,
        epochs=recipe.epochs,
        steps_per_epoch=steps,
        epochs_done=first_epoch,
        on_progress=on_progress,
    )
    # Last, so that the saved state includes what the other callbacks do in an epoch.
    callbacks += [CheckpointEachEpoch(checkpoints, history, recipe), progress]
    if history and isinstance(checkpoints, Checkpoints):
        checkpoints.restore_last(model, history)
    gradients = contextlib.nullcontext() if hardware.gpus() else fast_gradients(model)
    with gradients, progress:
        model.fit(
            training_batches(split.train, recipe, seed=seed, first_epoch=first_epoch),
            steps_per_epoch=steps,
            initial_epoch=first_epoch,
            epochs=recipe.epochs,
            validation_data=_one_hot(split.validation),
            validation_batch_size=validation_batch_size,
            shuffle=False,  # the batches are shuffled already
            callbacks=callbacks,
            verbose=0,
        )
    if len(history) < recipe.epochs:
        raise TrainingError(
            f"the loss of {model.name} is not a number; choose a lower learning rate"
        )


def _validation_batch_size(images: int, replicas: int) -> int:
    """Return a size that gives each GPU an equal part of the first batch and a part of the last."""
    for size in range(min(_VALIDATION_BATCH_SIZE, images), 0, -1):
        last = images % size
        if size % replicas == 0 and (last == 0 or last >= replicas):
            return size
    raise DatasetError(
        f"{replicas} GPUs cannot share {images} validation images; hide some of them with"
        " CUDA_VISIBLE_DEVICES, or choose a larger --validation-share"
    )


def _one_hot(data: LabelledImages) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return data.images, np.eye(len(CLASS_NAMES), dtype=np.float32)[data.labels]


def _in_single_precision(model: keras.Model, name: str, recipe: Recipe) -> keras.Model:
    """Return a network with the same weights that computes in 32 bits, which every CPU supports."""
    twin = build(name, recipe.changed(weights="none", initialisation="keras"))
    twin.set_weights(model.get_weights())
    return twin
