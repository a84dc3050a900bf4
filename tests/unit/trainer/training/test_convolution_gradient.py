"""The faster gradient of convolutions equals that of TensorFlow."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.architectures import build
from trainer.recipe import Recipe
from trainer.training.convolution_gradient import convolve, fast_gradients


@pytest.mark.parametrize("size", [1, 2, 5, 8])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (5, 1), (1, 2), (1, 3)])
def test_value_and_gradients_equal_those_of_tensorflow(kernel: int, stride: int, size: int):
    rng = np.random.default_rng(0)
    images = tf.constant(rng.normal(size=(2, size, size + 1, 3)), tf.float32)
    weights = tf.constant(rng.normal(size=(kernel, kernel, 3, 4)), tf.float32)
    results = []
    for operation in (
        lambda: tf.nn.conv2d(images, weights, stride, "SAME"),
        lambda: convolve(images, weights, stride=stride),
    ):
        with tf.GradientTape() as tape:
            tape.watch([images, weights])
            value = operation()
            loss = tf.reduce_sum(tf.sin(value))
        results.append([value, *tape.gradient(loss, [images, weights])])
    for expected, actual in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_the_outputs_and_the_configuration_of_a_model_do_not_change():
    model = build("xception", Recipe(weights="none"))
    images = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    before, configuration = model(images), model.to_json()
    with fast_gradients(model):
        assert any("convolution_op" in vars(layer) for layer in model.layers)
        np.testing.assert_allclose(model(images), before, atol=1e-6)
        assert model.to_json() == configuration


def test_the_model_is_restored_afterwards():
    model = build("xception", Recipe(weights="none"))
    with fast_gradients(model):
        pass
    assert not any({"call", "convolution_op"} & set(vars(layer)) for layer in model.layers)


def test_unsupported_layers_are_left_unchanged():
    image = keras.Input((8, 8, 4))
    strided = keras.layers.Conv2D(4, 3, strides=2, padding="same")(image)
    grouped = keras.layers.Conv2D(4, 3, groups=2, padding="same")(image)
    dilated = keras.layers.Conv2D(4, 3, dilation_rate=2, padding="same")(image)
    valid = keras.layers.Conv2D(4, 3)(image)
    model = keras.Model(image, [strided, grouped, dilated, valid])
    images = np.random.default_rng(0).random((2, 8, 8, 4), np.float32)
    before = model(images)
    with fast_gradients(model):
        for actual, expected in zip(model(images), before, strict=True):
            np.testing.assert_allclose(actual, expected, atol=1e-6)
        assert all("convolution_op" not in vars(layer) for layer in model.layers)
