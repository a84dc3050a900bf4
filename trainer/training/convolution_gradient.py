"""Convolutions whose gradient is as fast on a CPU as the convolution itself.

TensorFlow's ``Conv2DBackpropInput`` reaches a few per cent of a CPU's speed if feature maps are
small and channels many, which is most of a training step at 64x64 pixels. The gradient with respect
to a convolution's input is itself a convolution, with the kernel rotated by 180 degrees and its
channels swapped. So the fast forward operation serves for both (docs/decisions/0005).
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any, Final

import keras
import tensorflow as tf
from keras import layers

_POINT: Final = (1, 1)


@contextlib.contextmanager
def fast_gradients(model: keras.Model) -> Iterator[None]:
    """Use the faster gradient for every convolution of a model that supports it.

    Layers, weights, configuration and outputs stay the same. Afterwards the model is restored, so
    that an exported graph has no trace of it.
    """
    replaced: list[tuple[keras.Layer, str]] = []
    for layer in model.layers:
        if isinstance(layer, layers.SeparableConv2D):
            if _is_supported(_POINT, _POINT, layer.dilation_rate):
                layer.call = functools.partial(_call_separable, layer)
                replaced.append((layer, "call"))
        elif isinstance(layer, layers.Conv2D) and _is_supported(
            layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding, layer.groups
        ):
            layer.convolution_op = functools.partial(convolve, stride=layer.strides[0])
            replaced.append((layer, "convolution_op"))
    try:
        yield
    finally:
        for layer, method in replaced:
            # Removes the instance attribute that hid the class's own method.
            delattr(layer, method)


def convolve(images: tf.Tensor, kernel: tf.Tensor, *, stride: int = 1) -> tf.Tensor:
    """Convolve with ``SAME`` padding.

    Args:
        images: float32 ``[N, H, W, C]``.
        kernel: float32 ``[K, K, C, D]``; K is odd, and 1 where ``stride`` is not 1.
        stride: in both directions.

    Returns:
        float32 ``[N, ceil(H / stride), ceil(W / stride), D]``.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def operation(images: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Any]:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
            to_images = tf.nn.conv2d(upstream, turned, 1, "SAME")
            if stride != 1:
                to_images = _spread(to_images, stride, tf.shape(images))
            to_kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=images,
                filter_sizes=tf.shape(kernel),
                out_backprop=upstream,
                strides=[1, stride, stride, 1],
                padding="SAME",
            )
            return to_images, to_kernel

        return tf.nn.conv2d(images, kernel, stride, "SAME"), gradients

    # custom_gradient differentiates with respect to tensors, not variables.
    return operation(tf.convert_to_tensor(images), tf.convert_to_tensor(kernel))


def _is_supported(
    kernel_size: tuple[int, int],
    strides: tuple[int, int],
    dilation_rate: tuple[int, int],
    padding: str = "same",
    groups: int = 1,
) -> bool:
    if groups != 1 or tuple(dilation_rate) != (1, 1):
        return False
    if tuple(kernel_size) == _POINT:
        # 1x1 kernels need no padding, so both paddings are the same.
        return strides[0] == strides[1]
    odd = all(size % 2 == 1 for size in kernel_size)
    return odd and padding == "same" and tuple(strides) == (1, 1)


def _call_separable(layer: layers.SeparableConv2D, inputs: tf.Tensor) -> tf.Tensor:
    depthwise = keras.ops.depthwise_conv(
        inputs, layer.depthwise_kernel, strides=layer.strides, padding=layer.padding
    )
    outputs = convolve(depthwise, layer.pointwise_kernel)
    return layer.activation(outputs + layer.bias if layer.use_bias else outputs)


def _spread(values: tf.Tensor, stride: int, shape: tf.Tensor) -> tf.Tensor:
    """Put each value at its strided position, with zeros in between."""
    count, height, width, channels = tf.unstack(tf.shape(values))
    cells = tf.reshape(values, [count, height, 1, width, 1, channels])
    gap = [0, stride - 1]
    padded = tf.pad(cells, [[0, 0], [0, 0], gap, [0, 0], gap, [0, 0]])
    spread = tf.reshape(padded, [count, height * stride, width * stride, channels])
    return spread[:, : shape[1], : shape[2]]
