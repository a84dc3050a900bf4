"""The three CNNs."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from imaging.model_input import CHANNELS, IMAGE_SIZE
from serving.contract import CLASS_NAMES, INPUT_NAME, OUTPUT_NAME
from trainer import imagenet
from trainer.recipe import Recipe

_BACKBONES: Final[dict[str, Callable[..., keras.Model]]] = {
    "vgg16": keras.applications.VGG16,
    "resnet50": keras.applications.ResNet50,
    "xception": keras.applications.Xception,
}

_IMAGENET_INPUTS: Final[dict[str, Callable[..., NDArray[Any]]]] = {
    "vgg16": keras.applications.vgg16.preprocess_input,
    "resnet50": keras.applications.resnet50.preprocess_input,
    "xception": keras.applications.xception.preprocess_input,
}
"""Maps RGB in 0 to 255 to the input that each backbone's ImageNet weights were trained on."""

_LAST_OF_RESIDUAL_BRANCH: Final = re.compile(
    r"conv\d_block\d_3_bn"  # ResNet50
    r"|block(?:[2-4]|13)_sepconv2_bn|block(?:[5-9]|1[0-2])_sepconv3_bn"  # Xception
)
"""Matches the layer names of keras.applications."""

ADAPTER: Final = "adapter"
_DROPOUT: Final = 0.5
_HIDDEN_UNITS: Final = 256


def build(name: str, recipe: Recipe, *, weights_dir: Path | None = None) -> keras.Model:
    """Build one CNN, not yet compiled.

    Args:
        name: one of ``serving.contract.MODEL_NAMES``.
        recipe: its weights, initialisation and batch normalisation momentum. Keras' default
            momentum of 0.99 needs thousands of steps before the moving averages, which inference
            uses, catch up with the weights.
        weights_dir: folder of the ImageNet weights. Without it, they are downloaded.

    Returns:
        A model from float32 ``[N, 64, 64, 3]`` to float32 probabilities ``[N, 2]``.

    Raises:
        RecipeError: the ImageNet weights are not available.
    """
    image = layers.Input((IMAGE_SIZE, IMAGE_SIZE, CHANNELS), name=INPUT_NAME)
    adapted = layers.Conv2D(CHANNELS, 3, padding="same", name=ADAPTER)(image)
    backbone = _build_backbone(name, adapted, recipe, weights_dir)
    features = layers.GlobalAveragePooling2D()(backbone.output)
    hidden = layers.Dropout(_DROPOUT)(layers.BatchNormalization()(features))
    hidden = layers.Dense(_HIDDEN_UNITS, activation="relu")(hidden)
    hidden = layers.Dropout(_DROPOUT)(layers.BatchNormalization()(hidden))
    probabilities = layers.Dense(
        len(CLASS_NAMES),
        activation="softmax",
        name=OUTPUT_NAME,
        dtype="float32",  # a 16-bit softmax has steps large enough to affect calibration
    )(hidden)
    model = keras.Model(image, probabilities, name=name)
    if recipe.initialisation == "zero-init-residual":
        _initialise_for_fast_start(model, backbone_too=recipe.weights == "none")
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = recipe.batch_norm_momentum
    return model


def standardise(model: keras.Model, images: NDArray[np.float32]) -> None:
    """Initialise the adapter to standardise these images to mean 0 and deviation 1.

    Args:
        model: not trained yet.
        images: float32 ``[N, 64, 64, 3]``.
    """
    mean, deviation = images.mean(), images.std()
    _set_adapter(model, np.eye(CHANNELS) / deviation, np.full(CHANNELS, -mean / deviation))


def _build_backbone(
    name: str, adapted: keras.KerasTensor, recipe: Recipe, weights_dir: Path | None
) -> keras.Model:
    # Passed as a tensor: Xception rejects an input_shape below 71 pixels, but runs at 64.
    backbone = _BACKBONES[name](weights=None, include_top=False, input_tensor=adapted)
    if recipe.weights == "imagenet":
        weights = imagenet.find_weights(name, weights_dir)
        # A separate backbone: the weight files have no adapter, and are read by position.
        with imagenet.loading(name):
            trained = _BACKBONES[name](weights=weights, include_top=False)
        # By position as well: some layer names of Xception differ from run to run.
        for layer, source in zip(backbone.layers[2:], trained.layers[1:], strict=True):
            layer.set_weights(source.get_weights())
    return backbone


def _set_adapter(model: keras.Model, kernel: NDArray[Any], bias: NDArray[Any]) -> None:
    """Make the adapter map each pixel independently: ``pixel @ kernel + bias``."""
    adapter = model.get_layer(ADAPTER)
    around = np.zeros(adapter.kernel.shape, np.float32)
    centre = around.shape[0] // 2
    around[centre, centre] = kernel
    adapter.kernel.assign(around)
    adapter.bias.assign(bias.astype(np.float32))


def _expect_imagenet(model: keras.Model) -> None:
    """Initialise the adapter to the preprocessing of keras.applications for these weights."""

    def transform(pixels: NDArray[np.float32]) -> NDArray[Any]:
        return _IMAGENET_INPUTS[model.name](pixels.copy() * 255)

    bias = transform(np.zeros((1, CHANNELS), np.float32))
    _set_adapter(model, transform(np.eye(CHANNELS, dtype=np.float32)) - bias, bias[0])


def _initialise_for_fast_start(model: keras.Model, *, backbone_too: bool) -> None:
    """Initialise a model so that its architecture learns from the first step on.

    In residual networks the last scale of each residual branch starts at zero, so that every block
    starts as the identity (Goyal et al. 2017, arXiv 1706.02677, section 5.1). VGG16, which has no
    normalisation before its ReLUs, starts as in He et al. 2015 (arXiv 1502.01852): Keras' default
    halves the variance of activations at every ReLU, and there are thirteen in a row. The
    classifier starts undecided, at zero, so that its first guesses do not send noise through the
    backbone.
    """
    classifier = model.get_layer(OUTPUT_NAME)
    classifier.kernel.assign(np.zeros(classifier.kernel.shape))
    if not backbone_too:
        _expect_imagenet(model)
        return
    for layer in model.layers:
        if _LAST_OF_RESIDUAL_BRANCH.fullmatch(layer.name):
            layer.gamma.assign(np.zeros(layer.gamma.shape))
        elif getattr(layer, "activation", None) is keras.activations.relu and isinstance(
            layer, layers.Conv2D
        ):
            layer.kernel.assign(keras.initializers.HeNormal()(layer.kernel.shape))
