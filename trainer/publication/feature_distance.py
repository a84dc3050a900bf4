"""How far an image is from those that a CNN learned from, in the CNN's own features.

The Mahalanobis distance (Lee et al. 2018, arXiv 1807.03888) under probabilistic principal
components (Tipping and Bishop 1999, J. R. Stat. Soc. B 61(3)): along the main directions in which
training images differ it counts little, across all others, where training images hardly differ, it
counts much. The features are those of an early layer, averaged over a grid: later layers keep what
tells the two classes apart, and forget what tells a slice from a cat (docs/decisions/0013).
"""

from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from serving.contract import DISTANCE_OUTPUT_NAME, OUTPUT_NAME
from trainer.dataset.images import LabelledImages
from trainer.publication.other_views import other_windows, wider_fields

FEATURE_LAYERS: Final = {
    "vgg16": "block2_pool",
    "resnet50": "pool1_pool",
    "xception": "block1_conv2_act",
}
"""By the names that keras.applications gives its layers."""

QUANTILE: Final = 0.99
"""Of the validation images' distances; what lies beyond may still be a chest image from elsewhere,
so the limit is further out."""
MARGIN: Final = 1.35

_GRID: Final = 4
"""Rows and columns over which a layer's maps are averaged: where in the image counts, too."""
_COMPONENTS: Final = 32
_LEAST_DEVIATION: Final = 0.05
"""Of the mean of all features' deviations."""
_LEAST_VARIANCE: Final = 1e-6
_LEAST_LIMIT: Final = 1e-3
_BATCH_SIZE: Final = 64

_VIEWS: Final = (other_windows, wider_fields)
"""In which training images are known, beside their own."""

Features = NDArray[np.float64]


@dataclass(frozen=True)
class FeatureDistance:
    """A fit to the features of one layer, each image's ``[F]`` of length 1."""

    layer: str
    mean: Features
    deviation: Features
    """Of each feature, ``[F]``."""
    directions: Features
    """In which training images differ most, ``[F, K]``, orthonormal."""
    variances: Features
    """Along them, ``[K]``."""
    rest_variance: float
    """In every other direction."""
    limit: float
    """A distance that is too far."""
    beyond_on_validation: float
    """Share of the validation images that lie further."""

    @property
    def described(self) -> dict[str, Any]:
        """For the model card."""
        return {
            "layer": self.layer,
            "components": len(self.variances),
            "quantile": QUANTILE,
            "margin": MARGIN,
            "beyond_on_validation": self.beyond_on_validation,
        }


def fit_distance(
    model: keras.Model, train: LabelledImages, validation: LabelledImages
) -> FeatureDistance:
    """Fit the distance to training images, and its limit to validation images.

    Args:
        model: one of the CNNs, computing in 32 bits.
        train: what it learned from; also as another workstation would show it.
        validation: which it did not learn from.
    """
    layer = FEATURE_LAYERS[model.name]
    look = keras.Model(model.input, _grid_features(model.get_layer(layer).output))
    known = np.concatenate(
        [_ask(look, train.images), *(_ask(look, view(train.images)) for view in _VIEWS)]
    )
    mean, spread = known.mean(axis=0), known.std(axis=0)
    deviation = spread + _LEAST_DEVIATION * spread.mean() + np.finfo(np.float32).tiny
    standardised = (known - mean) / deviation
    components = min(_COMPONENTS, *(size - 1 for size in standardised.shape))
    # Where no feature ever differs, the shares that it divides are of nothing; they are not used.
    with np.errstate(invalid="ignore"):
        pca = PCA(components, svd_solver="randomized", random_state=0).fit(standardised)
    variances = np.maximum(pca.explained_variance_, _LEAST_VARIANCE)
    left = (standardised**2).sum(axis=1).mean() - variances.sum()
    # Plain numbers: a double of NumPy's would make the graph compute in doubles.
    rest_variance = max(_LEAST_VARIANCE, float(left / (standardised.shape[1] - components)))
    directions = pca.components_.T

    held_out = (_ask(look, validation.images) - mean) / deviation
    along = held_out @ directions
    rest = np.maximum((held_out**2).sum(axis=1) - (along**2).sum(axis=1), 0)
    distances = np.sqrt((along**2 / variances).sum(axis=1) + rest / rest_variance)
    # A network that sees no difference between images would divide by nothing.
    limit = max(_LEAST_LIMIT, MARGIN * float(np.quantile(distances, QUANTILE)))
    return FeatureDistance(
        layer,
        mean,
        deviation,
        directions,
        variances,
        rest_variance,
        limit,
        float((distances > limit).mean()),
    )


def with_distance(model: keras.Model, fit: FeatureDistance) -> keras.Model:
    """The model with two outputs: its probabilities, and the distance as a share of the limit."""
    features = _grid_features(model.get_layer(fit.layer).output)
    standardised = (features - _constant(fit.mean)) / _constant(fit.deviation)
    along = ops.square(ops.matmul(standardised, _constant(fit.directions)))
    rest = ops.relu(ops.sum(ops.square(standardised), axis=-1) - ops.sum(along, axis=-1))
    squared = ops.sum(along / _constant(fit.variances), axis=-1) + rest / fit.rest_variance
    distance = ops.sqrt(squared) / fit.limit
    return keras.Model(
        model.input, {OUTPUT_NAME: model.output, DISTANCE_OUTPUT_NAME: distance}, name=model.name
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


def _ask(look: keras.Model, images: NDArray[np.float32]) -> Features:
    features: Features = np.concatenate(
        [
            np.asarray(look(images[start : start + _BATCH_SIZE], training=False))
            for start in range(0, len(images), _BATCH_SIZE)
        ]
    ).astype(np.float64)
    return features


def _constant(values: Features) -> NDArray[np.float32]:
    return values.astype(np.float32)
