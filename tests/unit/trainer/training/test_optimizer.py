"""The fused optimizer computes the same updates as Keras's Adam."""

import keras
import numpy as np
import pytest
from keras import layers

from trainer.training.optimizer import FusedAdam


def _train(optimizer: keras.optimizers.Optimizer) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input((6,)), layers.Dense(5, activation="tanh")])
    model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(40, 6)), rng.normal(size=(40, 5))
    model.fit(inputs, targets, batch_size=8, epochs=4, shuffle=False, verbose=0)
    return model


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"global_clipnorm": 0.01}])
def test_weights_and_moments_equal_those_of_keras_adam(options: dict[str, float]):
    schedule = keras.optimizers.schedules.CosineDecay(0.05, decay_steps=20)
    options = {"beta_1": 0.8, "beta_2": 0.98, "epsilon": 1e-4, **options}
    expected = _train(keras.optimizers.Adam(schedule, **options))
    trained = _train(FusedAdam(schedule, **options))
    assert trained.optimizer.iterations.numpy() == 20
    for ours, theirs in zip(
        trained.weights + trained.optimizer.variables,
        expected.weights + expected.optimizer.variables,
        strict=True,
    ):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-6)
