"""The three CNNs."""

import re
from collections.abc import Callable
from typing import Final, Literal

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from serving.contract import CHANNELS, CLASS_NAMES, IMAGE_SIZE, INPUT_NAME, OUTPUT_NAME

Weights = Literal["none", "imagenet"]

_BACKBONES: Final[dict[str, Callable[..., keras.Model]]] = {
    "vgg16": keras.applications.VGG16,
    "resnet50": keras.applications.ResNet50,
    "xception": keras.applications.Xception,
}

_LAST_OF_RESIDUAL_BRANCH: Final = re.compile(
    r"conv\d_block\d_3_bn"  # ResNet50
    r"|block(?:[2-4]|13)_sepconv2_bn|block(?:[5-9]|1[0-2])_sepconv3_bn"  # Xception
)
"""By the names that keras.applications gives its layers."""

ADAPTER: Final = "adapter"
_DROPOUT: Final = 0.5
_HIDDEN_UNITS: Final = 256


def build(
    name: str, *, weights: Weights = "none", batch_norm_momentum: float = 0.99
) -> keras.Model:
    """Build one CNN, not yet compiled.

    Args:
        name: one of ``serving.contract.MODEL_NAMES``.
        weights: what the backbone starts from.
        batch_norm_momentum: of every batch normalisation. Keras' default of 0.99 needs thousands
            of steps before the moving averages, which inference uses, catch up with the weights.

    Returns:
        A model from float32 ``[N, 64, 64, 3]`` to probabilities ``[N, 2]``.
    """
    image = layers.Input((IMAGE_SIZE, IMAGE_SIZE, CHANNELS), name=INPUT_NAME)
    adapted = layers.Conv2D(CHANNELS, 3, padding="same", name=ADAPTER)(image)
    # Handed over as a tensor: Xception refuses an input_shape under 71 pixels, yet runs at 64.
    backbone = _BACKBONES[name](
        include_top=False, weights=None if weights == "none" else weights, input_tensor=adapted
    )
    features = layers.GlobalAveragePooling2D()(backbone.output)
    hidden = layers.Dropout(_DROPOUT)(layers.BatchNormalization()(features))
    hidden = layers.Dense(_HIDDEN_UNITS, activation="relu")(hidden)
    hidden = layers.Dropout(_DROPOUT)(layers.BatchNormalization()(hidden))
    probabilities = layers.Dense(len(CLASS_NAMES), activation="softmax", name=OUTPUT_NAME)(hidden)
    model = keras.Model(image, probabilities, name=name)
    if weights == "none":
        _initialise(model)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = batch_norm_momentum
    return model


def standardise(model: keras.Model, images: NDArray[np.float32]) -> None:
    """Let the adapter start as the standardisation of these images: mean 0, deviation 1.

    Args:
        model: not yet trained.
        images: float32 ``[N, 64, 64, 3]``.
    """
    mean, deviation = images.mean(), images.std()
    adapter = model.get_layer(ADAPTER)
    kernel = np.zeros(adapter.kernel.shape, np.float32)
    centre = kernel.shape[0] // 2
    kernel[centre, centre] = np.eye(CHANNELS) / deviation
    adapter.kernel.assign(kernel)
    adapter.bias.assign(np.full(CHANNELS, -mean / deviation, np.float32))


def _initialise(model: keras.Model) -> None:
    """Start a model from where its architecture learns fastest.

    In residual networks the last scale of each residual branch starts at zero, so that every block
    starts as the identity (Goyal et al. 2017, arXiv 1706.02677, section 5.1). VGG16, which has no
    normalisation before its ReLUs, starts as He et al. 2015 (arXiv 1502.01852) have it: Keras'
    default halves the variance of activations at every ReLU, and there are thirteen in a row. The
    classifier starts undecided, at zero, so that its first guesses do not send noise through the
    backbone.
    """
    for layer in model.layers:
        if _LAST_OF_RESIDUAL_BRANCH.fullmatch(layer.name):
            layer.gamma.assign(np.zeros(layer.gamma.shape))
        elif getattr(layer, "activation", None) is keras.activations.relu and isinstance(
            layer, layers.Conv2D
        ):
            layer.kernel.assign(keras.initializers.HeNormal()(layer.kernel.shape))
    classifier = model.get_layer(OUTPUT_NAME)
    classifier.kernel.assign(np.zeros(classifier.kernel.shape))
