"""Training of one CNN."""

import contextlib
import logging
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from serving.contract import CLASS_NAMES
from trainer.architectures import build, standardise
from trainer.augmentation import augmenter
from trainer.convolution_gradient import fast_gradients
from trainer.dataset import LabelledImages
from trainer.errors import DatasetError
from trainer.graph_optimisation import without_graph_optimisation
from trainer.optimizer import FusedAdam
from trainer.recalibration import Recalibration
from trainer.recipe import Recipe
from trainer.split import Split

logger = logging.getLogger(__name__)


def train(name: str, split: Split, recipe: Recipe, *, seed: int) -> keras.Model:
    """Train one CNN with a progress bar, and return it as it was in its best epoch.

    Args:
        name: one of ``serving.contract.MODEL_NAMES``.
        split: the training part is learned from, the validation part picks the epoch.
        recipe: how.
        seed: of initialisation, order and augmentation.

    Raises:
        DatasetError: there are fewer training images than a batch.
    """
    if len(split.train) < recipe.batch_size:
        raise DatasetError(
            f"{len(split.train)} training images are fewer than a batch of {recipe.batch_size};"
            " add images or choose a smaller batch"
        )
    keras.utils.set_random_seed(seed)
    model = build(name, weights=recipe.weights, batch_norm_momentum=recipe.batch_norm_momentum)
    if recipe.weights == "none":
        standardise(model, split.train.images)
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    steps_per_epoch = len(split.train) // recipe.batch_size
    model.compile(
        optimizer=FusedAdam(_schedule(recipe, recipe.epochs * steps_per_epoch)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # Keras would choose XLA by itself, which is several times slower on a CPU.
        jit_compile="auto" if on_gpu else False,
    )
    _create_all_variables(model)
    logger.info("training %s: %d parameters", name, model.count_params())
    with contextlib.nullcontext() if on_gpu else _fast_on_cpu(model):
        model.fit(
            _training_batches(split.train, recipe, seed=seed),
            validation_data=(split.validation.images, split.validation.labels),
            epochs=recipe.epochs,
            shuffle=False,  # the pipeline does
            callbacks=_callbacks(recipe, split.train, seed=seed),
            verbose=1,
        )
    return model


@contextlib.contextmanager
def _fast_on_cpu(model: keras.Model) -> Iterator[None]:
    with fast_gradients(model), without_graph_optimisation():
        yield


def _create_all_variables(model: keras.Model) -> None:
    """Create what Keras would create inside the first step, which TensorFlow then traces twice."""
    model.optimizer.build(model.trainable_variables)
    undecided = np.full((1, len(CLASS_NAMES)), 1 / len(CLASS_NAMES), np.float32)
    model.compute_metrics(x=None, y=np.zeros(1), y_pred=undecided)
    model.reset_metrics()


def _schedule(recipe: Recipe, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    warmup_steps = math.ceil(recipe.warmup_share * steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 20,
        warmup_target=recipe.learning_rate,
        warmup_steps=warmup_steps,
        decay_steps=max(1, steps - warmup_steps),
        alpha=0.01,
    )


def _training_batches(data: LabelledImages, recipe: Recipe, *, seed: int) -> Any:  # noqa: ANN401
    vary = augmenter(recipe.augmentation, seed=seed)
    return (
        tf.data.Dataset.from_tensor_slices((data.images, data.labels))
        .shuffle(len(data), seed=seed)
        # A short last batch would give batch normalisation a noisy step.
        .batch(recipe.batch_size, drop_remainder=True)
        # One batch after the other: who draws first would otherwise be a race.
        .map(lambda images, labels: (vary(images, training=True), labels))
        .prefetch(tf.data.AUTOTUNE)
    )


def _callbacks(
    recipe: Recipe, data: LabelledImages, *, seed: int
) -> list[keras.callbacks.Callback]:
    return [
        Recalibration(data.images, seed=seed),
        keras.callbacks.EarlyStopping(
            "val_loss", patience=recipe.epochs, restore_best_weights=True
        ),
    ]
