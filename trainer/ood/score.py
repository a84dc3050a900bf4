"""How far an image is from those that a CNN learned from, in the CNN's own features.

A small network on the features of an early layer, averaged over a grid, tells chest images from
strangers; later layers keep what tells the two classes apart, and forget what tells a slice from a
cat. It learns from the training images, from the same as other workstations would show them, and
from strangers that are made of them (docs/decisions/0013). The distance is how far an image lies on
the way from a typical chest image, 0, to the boundary, 1, and beyond: a logit, scaled.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from serving.contract import OOD_OUTPUT_NAME, OUTPUT_NAME
from trainer.batched import infer_in_batches
from trainer.dataset.images import LabelledImages
from trainer.ood.appearance import full_fields, other_windows
from trainer.ood.synthetic_outliers import strangers

FEATURE_LAYERS: Final = {
    "vgg16": "block1_pool",
    "resnet50": "pool1_pool",
    "xception": "block1_conv2_act",
}
"""By the names that keras.applications gives its layers."""

_GRID: Final = 4
"""Rows and columns over which a layer's maps are averaged: where in the image counts, too."""
_MIN_DEVIATION: Final = 0.05
"""Of the mean of all features' deviations."""
_FARTHEST: Final = 6.0
"""Deviations of a single feature, beyond which it counts no further."""
_COMPONENTS: Final = 192
_HIDDEN: Final = 64
_PENALTY: Final = 1.0
_MAX_EPOCHS: Final = 200
"""It ends earlier, when a tenth that is held out is no longer told apart better."""
MAX_IMAGES: Final = 1500
"""Of the training set; more would teach little and take long."""
_MIN_LOGIT: Final = 1.0
"""Of a typical chest image being one: a network that sees nothing knows none."""

Images = NDArray[np.float32]
Features = NDArray[np.float32]
View = Callable[[Images], Images]

_CHEST_VIEWS: Final[tuple[View, ...]] = (
    np.asarray,
    *(partial(other_windows, seed=seed) for seed in range(4)),
    *(partial(full_fields, seed=seed) for seed in range(5)),
)
_STRANGERS: Final[tuple[View, ...]] = tuple(partial(strangers, seed=seed) for seed in range(12))


@dataclass(frozen=True)
class OodScorer:
    """A network of two layers on another's features, each image's ``[F]`` of length 1."""

    layer: str
    mean: Features
    deviation: Features
    """Of each feature among chest images, ``[F]``."""
    hidden_weights: Features
    """``[F, H]``."""
    hidden_bias: Features
    """``[H]``."""
    weights: Features
    """``[H]``, of the distance."""
    bias: float
    validation_false_positive_rate: float
    """Share of the validation images that are strangers to it."""
    outlier_true_positive_rate: float
    """Share of strangers made of validation images that are."""

    @property
    def described(self) -> dict[str, Any]:
        """For the model card."""
        return {
            "layer": self.layer,
            "validation_false_positive_rate": self.validation_false_positive_rate,
            "outlier_true_positive_rate": self.outlier_true_positive_rate,
        }


def fit_ood_scorer(
    model: keras.Model,
    train: LabelledImages,
    validation: LabelledImages,
    *,
    max_images: int = MAX_IMAGES,
) -> OodScorer:
    """Learn what is near to training images and what is not, and try it on validation images.

    Args:
        model: one of the CNNs, computing in 32 bits.
        train: what it learned from.
        validation: which it did not learn from.
        max_images: how many of ``train`` are looked at.
    """
    layer = FEATURE_LAYERS[model.name]
    look = keras.Model(model.input, _grid_features(model.get_layer(layer).output))
    images = train.images
    if len(images) > max_images:
        images = images[np.random.default_rng(0).choice(len(images), max_images, replace=False)]
    chest, others = _ask(look, images, _CHEST_VIEWS), _ask(look, images, _STRANGERS)
    mean, spread = chest.mean(axis=0), chest.std(axis=0)
    deviation = spread + _MIN_DEVIATION * spread.mean() + np.finfo(np.float32).tiny

    def standardised(features: Features) -> Features:
        return np.asarray(np.clip((features - mean) / deviation, -_FARTHEST, _FARTHEST))

    hidden_weights, hidden_bias, weights, bias = _learn(standardised(chest), standardised(others))

    def logits(view: View) -> Features:
        features = standardised(_ask(look, validation.images, [view]))
        hidden = np.maximum(features @ hidden_weights + hidden_bias, 0)
        return np.asarray(hidden @ weights + bias)

    held_out, unseen = logits(_CHEST_VIEWS[0]), logits(_STRANGERS[0])
    way = max(_MIN_LOGIT, -float(np.median(held_out)))
    return OodScorer(
        layer,
        mean,
        deviation,
        hidden_weights,
        hidden_bias,
        weights / np.float32(way),
        1 + bias / way,
        validation_false_positive_rate=float((held_out > 0).mean()),
        outlier_true_positive_rate=float((unseen > 0).mean()),
    )


def with_ood_score(model: keras.Model, fit: OodScorer) -> keras.Model:
    """The model with two outputs: its probabilities, and the distance."""
    features = _grid_features(model.get_layer(fit.layer).output)
    standardised = ops.clip((features - fit.mean) / fit.deviation, -_FARTHEST, _FARTHEST)
    hidden = ops.relu(ops.matmul(standardised, fit.hidden_weights) + fit.hidden_bias)
    distance = ops.relu(ops.sum(hidden * fit.weights, axis=-1) + fit.bias)
    return keras.Model(
        model.input, {OUTPUT_NAME: model.output, OOD_OUTPUT_NAME: distance}, name=model.name
    )


def _grid_features(maps: keras.KerasTensor) -> keras.KerasTensor:
    """A layer's maps ``[N, H, W, C]``, averaged over a grid, each image's to length 1."""
    strides = tuple(side // _GRID for side in maps.shape[1:3])
    # The windows overlap where a side is no multiple, so that nothing is left out.
    sizes = tuple(
        side - (_GRID - 1) * stride for side, stride in zip(maps.shape[1:3], strides, strict=True)
    )
    pooled = ops.average_pool(maps, sizes, strides, padding="valid")
    flat = ops.reshape(pooled, (-1, _GRID * _GRID * maps.shape[-1]))
    length = ops.sqrt(ops.sum(ops.square(flat), axis=-1, keepdims=True))
    return flat / ops.maximum(length, 1e-6)


def _ask(look: keras.Model, images: Images, views: Sequence[View]) -> Features:
    """The features of all views of images; one view at a time is held."""
    return np.concatenate(
        [
            infer_in_batches(lambda shown: look(shown, training=False), view(images))
            for view in views
        ]
    )


def _learn(chest: Features, others: Features) -> tuple[Features, Features, Features, float]:
    """Two layers that tell strangers from chest images: weights and bias of each."""
    features = np.concatenate([chest, others])
    labels = np.repeat([0, 1], [len(chest), len(others)])
    pca = PCA(
        min(_COMPONENTS, *features.shape), whiten=True, svd_solver="randomized", random_state=0
    )
    perceptron = MLPClassifier(
        (_HIDDEN,), alpha=_PENALTY, early_stopping=True, max_iter=_MAX_EPOCHS, random_state=0
    )
    # Where no feature ever differs, the shares that PCA divides are of nothing; they are not used.
    # These matrices are small, and several threads only wait for each other: on two cores that had
    # other work it took 14 s, with one thread 0.9 s.
    with np.errstate(invalid="ignore"), threadpool_limits(1):
        perceptron.fit(pca.fit_transform(features), labels)
    # Components and first layer are both linear, and one matrix here.
    first, second = perceptron.coefs_
    deviations = np.sqrt(np.maximum(pca.explained_variance_, np.finfo(np.float32).eps))
    hidden_weights = (pca.components_ / deviations[:, None]).T @ first
    hidden_bias = perceptron.intercepts_[0] - pca.mean_ @ hidden_weights
    return (
        hidden_weights.astype(np.float32),
        hidden_bias.astype(np.float32),
        second[:, 0].astype(np.float32),
        # A plain number: a double of NumPy's would make the graph compute in doubles.
        float(perceptron.intercepts_[1][0]),
    )
