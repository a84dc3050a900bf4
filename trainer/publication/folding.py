"""Merges batch normalisation into the layers before it, for inference.

In inference it scales and shifts each channel in the same way for every image, which a convolution
with other weights can do as well (Jacob et al. 2018, arXiv 1712.05877, section 3.2).
"""

from typing import Any, Final

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

_KERNELS: Final = {
    layers.Conv2D: "kernel",
    layers.Dense: "kernel",
    layers.SeparableConv2D: "pointwise_kernel",
}
"""For each exact layer type, the weights whose last axis is the output channels."""


def fold_batch_normalisation(model: keras.Model) -> keras.Model:
    """Return the same function as a network with fewer operations, for inference only.

    Args:
        model: a functional model that computes in 32 bits. It is not changed.

    Returns:
        A model with the same inputs, outputs and layer names. A normalisation that followed a
        linear layer is an identity in it, and that layer has other weights.
    """
    folded = {
        before.name: normalisation
        for normalisation in model.layers
        if isinstance(normalisation, layers.BatchNormalization)
        and (before := _linear_layer_before(normalisation)) is not None
    }
    gone = {normalisation.name for normalisation in folded.values()}

    def clone(layer: keras.Layer) -> keras.Layer:
        if layer.name in gone:
            return layers.Identity(name=layer.name)
        config = layer.get_config()
        if layer.name in folded:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer: keras.Layer, *inputs: keras.KerasTensor, **options: Any) -> Any:  # noqa: ANN401
        # The options are those of the replaced normalisation.
        return layer(*inputs) if layer.name in gone else layer(*inputs, **options)

    merged = keras.models.clone_model(model, clone_function=clone, call_function=call)
    for layer, twin in zip(model.layers, merged.layers, strict=True):
        if layer.name in folded:
            _merge(layer, folded[layer.name], twin)
        elif layer.name not in gone:
            twin.set_weights(layer.get_weights())
    return merged


def _linear_layer_before(normalisation: layers.BatchNormalization) -> keras.Layer | None:
    before = normalisation.input._keras_history.operation  # noqa: SLF001 - there is no public way
    if (
        type(before) in _KERNELS
        and before.activation is keras.activations.linear
        and len(before._outbound_nodes) == 1  # noqa: SLF001
    ):
        return before
    return None


def _merge(
    before: keras.Layer, normalisation: layers.BatchNormalization, twin: keras.Layer
) -> None:
    def array(variable: keras.Variable | None, default: float) -> NDArray[np.float64]:
        return np.asarray(default if variable is None else variable, np.float64)

    variance = array(normalisation.moving_variance, 1)
    scale = array(normalisation.gamma, 1) / np.sqrt(variance + normalisation.epsilon)
    bias = array(before.bias, 0) - array(normalisation.moving_mean, 0)
    twin.bias.assign(bias * scale + array(normalisation.beta, 0))
    for weights in before.weights:
        if weights.name == _KERNELS[type(before)]:
            getattr(twin, weights.name).assign(np.asarray(weights, np.float64) * scale)
        elif weights.name != "bias":
            getattr(twin, weights.name).assign(weights)
