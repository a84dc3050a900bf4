"""Precise batch normalisation: moving averages match the network's current weights."""

import keras
import numpy as np
from keras import layers

from trainer.training.precise_batch_norm import estimate_batch_norm


def _model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            layers.Input((4, 4, 3)),
            layers.Conv2D(5, 3),
            layers.BatchNormalization(momentum=0.9),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(6),
            layers.BatchNormalization(momentum=0.9),
        ]
    )


IMAGES = np.random.default_rng(0).normal(3, 2, (64, 4, 4, 3)).astype(np.float32)


def test_outputs_of_inference_are_normalised_afterwards():
    model = _model()
    assert abs(np.asarray(model(IMAGES, training=False)).mean()) > 0.1
    estimate_batch_norm(model, IMAGES)
    outputs = np.asarray(model(IMAGES, training=False))
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(outputs.std(axis=0), 1, atol=1e-2)


def test_weights_momentum_and_dropout_do_not_change():
    model = _model()
    before = [weight.numpy() for weight in model.trainable_weights]
    estimate_batch_norm(model, IMAGES)
    for old, new in zip(before, model.trainable_weights, strict=True):
        np.testing.assert_array_equal(new.numpy(), old)
    assert [layer.momentum for layer in model.layers if hasattr(layer, "momentum")] == [0.9, 0.9]
    assert [layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)] == [0.5]
