"""Scores how different an image is from a CNN's training images, in the CNN's own features.

A small network separates chest images from synthetic outliers. Its input is the features of an
early layer, averaged over a grid. Later layers keep what distinguishes the two classes, and lose
what distinguishes a slice from a cat. The network learns from the training images, from appearance
augmentations of them, and from synthetic outliers. The score is its logit, scaled so that a typical
chest image scores 0 and the decision boundary 1.
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
from trainer.batched_inference import infer_in_batches
from trainer.dataset.images import LabelledImages
from trainer.ood.appearance import full_fields, other_windows
from trainer.ood.synthetic_outliers import synthetic_outliers

FEATURE_LAYERS: Final = {
    "vgg16": "block1_pool",
    "resnet50": "pool1_pool",
    "xception": "block1_conv2_act",
}
"""Layer names of keras.applications."""

_GRID: Final = 4
"""Rows and columns of the grid that a layer's maps are averaged over, so that position counts."""
_MIN_DEVIATION: Final = 0.05
"""Relative to the mean deviation of all features."""
_MAX_DEVIATIONS: Final = 6.0
"""Features are clipped at this many standard deviations."""
_COMPONENTS: Final = 192
_HIDDEN: Final = 64
_PENALTY: Final = 1.0
_MAX_EPOCHS: Final = 200
"""Training stops earlier if the accuracy on a held-out tenth no longer improves."""
MAX_IMAGES: Final = 1500
"""Limit for the training set. More images would teach little and take long."""
_MIN_LOGIT: Final = 1.0
"""For a typical chest image: a network that separates nothing has smaller ones."""

Images = NDArray[np.float32]
Features = NDArray[np.float32]
View = Callable[[Images], Images]

_CHEST_VIEWS: Final[tuple[View, ...]] = (
    np.asarray,
    *(partial(other_windows, seed=seed) for seed in range(4)),
    *(partial(full_fields, seed=seed) for seed in range(5)),
)
_OUTLIER_VIEWS: Final[tuple[View, ...]] = tuple(
    partial(synthetic_outliers, seed=seed) for seed in range(12)
)


@dataclass(frozen=True)
class OodScorer:
    """A two-layer network on a CNN's features, normalised to length 1 per image, ``[F]``."""

    layer: str
    mean: Features
    deviation: Features
    """Of each feature over chest images, ``[F]``."""
    hidden_weights: Features
    """``[F, H]``."""
    hidden_bias: Features
    """``[H]``."""
    weights: Features
    """``[H]``, of the output layer."""
    bias: float
    validation_false_positive_rate: float
    """Share of the validation images that it takes for outliers."""
    outlier_true_positive_rate: float
    """Share of the outliers made from validation images that it recognises."""

    @property
    def described(self) -> dict[str, Any]:
        """The description for the model card."""
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
    """Fit a scorer on training images and outliers made from them; measure it on validation images.

    Args:
        model: one of the CNNs, computing in 32 bits.
        train: images that the model learned from.
        validation: images that it did not learn from.
        max_images: the most images of ``train`` to use.
    """
    layer = FEATURE_LAYERS[model.name]
    extract = keras.Model(model.input, _grid_features(model.get_layer(layer).output))
    images = train.images
    if len(images) > max_images:
        images = images[np.random.default_rng(0).choice(len(images), max_images, replace=False)]
    chest = _extract_features(extract, images, _CHEST_VIEWS)
    outliers = _extract_features(extract, images, _OUTLIER_VIEWS)
    mean, spread = chest.mean(axis=0), chest.std(axis=0)
    deviation = spread + _MIN_DEVIATION * spread.mean() + np.finfo(np.float32).tiny

    def standardised(features: Features) -> Features:
        return np.asarray(np.clip((features - mean) / deviation, -_MAX_DEVIATIONS, _MAX_DEVIATIONS))

    hidden_weights, hidden_bias, weights, bias = _learn(standardised(chest), standardised(outliers))

    def logits(view: View) -> Features:
        features = standardised(_extract_features(extract, validation.images, [view]))
        hidden = np.maximum(features @ hidden_weights + hidden_bias, 0)
        return np.asarray(hidden @ weights + bias)

    held_out, unseen = logits(_CHEST_VIEWS[0]), logits(_OUTLIER_VIEWS[0])
    scale = max(_MIN_LOGIT, -float(np.median(held_out)))
    return OodScorer(
        layer,
        mean,
        deviation,
        hidden_weights,
        hidden_bias,
        weights / np.float32(scale),
        1 + bias / scale,
        validation_false_positive_rate=float((held_out > 0).mean()),
        outlier_true_positive_rate=float((unseen > 0).mean()),
    )


def with_ood_score(model: keras.Model, fit: OodScorer) -> keras.Model:
    """Return the model with two outputs: its probabilities and the out-of-distribution score."""
    features = _grid_features(model.get_layer(fit.layer).output)
    standardised = ops.clip(
        (features - fit.mean) / fit.deviation, -_MAX_DEVIATIONS, _MAX_DEVIATIONS
    )
    hidden = ops.relu(ops.matmul(standardised, fit.hidden_weights) + fit.hidden_bias)
    score = ops.relu(ops.sum(hidden * fit.weights, axis=-1) + fit.bias)
    return keras.Model(
        model.input, {OUTPUT_NAME: model.output, OOD_OUTPUT_NAME: score}, name=model.name
    )


def _grid_features(maps: keras.KerasTensor) -> keras.KerasTensor:
    """Average a layer's maps ``[N, H, W, C]`` over a grid, and normalise each image to length 1."""
    strides = tuple(side // _GRID for side in maps.shape[1:3])
    # The windows overlap if a side is not a multiple, so that nothing is left out.
    sizes = tuple(
        side - (_GRID - 1) * stride for side, stride in zip(maps.shape[1:3], strides, strict=True)
    )
    pooled = ops.average_pool(maps, sizes, strides, padding="valid")
    flat = ops.reshape(pooled, (-1, _GRID * _GRID * maps.shape[-1]))
    length = ops.sqrt(ops.sum(ops.square(flat), axis=-1, keepdims=True))
    return flat / ops.maximum(length, 1e-6)


def _extract_features(extract: keras.Model, images: Images, views: Sequence[View]) -> Features:
    """Return the features of all views of the images. Only one view is in memory at a time."""
    return np.concatenate(
        [
            infer_in_batches(lambda shown: extract(shown, training=False), view(images))
            for view in views
        ]
    )


def _learn(chest: Features, outliers: Features) -> tuple[Features, Features, Features, float]:
    """Train two layers that separate outliers from chest images; return weights and biases."""
    features = np.concatenate([chest, outliers])
    labels = np.repeat([0, 1], [len(chest), len(outliers)])
    pca = PCA(
        min(_COMPONENTS, *features.shape), whiten=True, svd_solver="randomized", random_state=0
    )
    perceptron = MLPClassifier(
        (_HIDDEN,), alpha=_PENALTY, early_stopping=True, max_iter=_MAX_EPOCHS, random_state=0
    )
    # If no feature varies, PCA divides zero by zero for variance ratios that are not used here.
    # These matrices are small, and several threads only wait for each other: on two busy cores it
    # took 14 s, and 0.9 s with one thread.
    with np.errstate(invalid="ignore"), threadpool_limits(1):
        perceptron.fit(pca.fit_transform(features), labels)
    # Components and first layer are both linear, so one matrix replaces them.
    first, second = perceptron.coefs_
    deviations = np.sqrt(np.maximum(pca.explained_variance_, np.finfo(np.float32).eps))
    hidden_weights = (pca.components_ / deviations[:, None]).T @ first
    hidden_bias = perceptron.intercepts_[0] - pca.mean_ @ hidden_weights
    return (
        hidden_weights.astype(np.float32),
        hidden_bias.astype(np.float32),
        second[:, 0].astype(np.float32),
        # A plain number: a NumPy float64 would make the graph compute in doubles.
        float(perceptron.intercepts_[1][0]),
    )
