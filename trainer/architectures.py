"""The three CNNs."""

import re
from collections.abc import Callable
from typing import Final, Literal

import keras
from keras import layers

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
    adapted = layers.Conv2D(CHANNELS, 3, padding="same", name="adapter")(image)
    # Handed over as a tensor: Xception refuses an input_shape under 71 pixels, yet runs at 64.
    backbone = _BACKBONES[name](
        include_top=False, weights=None if weights == "none" else weights, input_tensor=adapted
    )
    if weights == "none":
        _initialise(backbone)
    features = layers.GlobalAveragePooling2D()(backbone.output)
    hidden = layers.Dropout(_DROPOUT)(layers.BatchNormalization()(features))
    hidden = layers.Dense(_HIDDEN_UNITS, activation="relu")(hidden)
    hidden = layers.Dropout(_DROPOUT)(layers.BatchNormalization()(hidden))
    probabilities = layers.Dense(len(CLASS_NAMES), activation="softmax", name=OUTPUT_NAME)(hidden)
    model = keras.Model(image, probabilities, name=name)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = batch_norm_momentum
    return model


def _initialise(backbone: keras.Model) -> None:
    """Start a backbone from where its architecture learns fastest.

    In residual networks the last scale of each residual branch starts at zero, so that every block
    starts as the identity (Goyal et al. 2017, arXiv 1706.02677, section 5.1). Without batch
    normalisation, convolutions start as He et al. 2015 (arXiv 1502.01852) have it: Keras' default
    halves the variance of activations at every ReLU, and VGG16 has thirteen of them in a row.
    """
    normalisations = [
        layer for layer in backbone.layers if isinstance(layer, layers.BatchNormalization)
    ]
    for layer in normalisations:
        if _LAST_OF_RESIDUAL_BRANCH.fullmatch(layer.name):
            layer.gamma.assign(keras.ops.zeros_like(layer.gamma))
    if not normalisations:
        for layer in backbone.layers:
            if isinstance(layer, layers.Conv2D):
                layer.kernel.assign(keras.initializers.HeNormal()(layer.kernel.shape))
