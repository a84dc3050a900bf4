"""Temperature scaling calibrates probabilities without changing decisions."""

import keras
import numpy as np
import pytest

from serving.contract import OUTPUT_NAME
from trainer.evaluation.calibration import bake_temperature, fit_temperature, scale
from trainer.evaluation.metrics import measure


@pytest.fixture
def overconfident() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities from logits that are three times too large, and the labels."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, 4000)
    labels = (rng.random(4000) >= 1 / (1 + np.exp(-logits))).astype(int)
    positive = 1 / (1 + np.exp(-3 * logits))
    return np.stack([positive, 1 - positive], axis=1), labels


def test_the_temperature_of_an_overconfident_model_is_found(
    overconfident: tuple[np.ndarray, np.ndarray],
):
    assert fit_temperature(*overconfident) == pytest.approx(3, rel=0.1)


def test_scaling_calibrates_without_changing_the_ranking(
    overconfident: tuple[np.ndarray, np.ndarray],
):
    probabilities, labels = overconfident
    scaled = scale(probabilities, fit_temperature(probabilities, labels))
    before, after = measure(probabilities, labels), measure(scaled, labels)
    assert before["ece"] > 0.1
    assert after["ece"] < 0.03
    assert after["auroc"] == pytest.approx(before["auroc"])
    np.testing.assert_array_equal(scaled.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(scaled.sum(axis=1), 1)


def test_probabilities_of_0_and_1_can_be_scaled():
    probabilities = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
    labels = np.array([0, 1, 0, 0])
    temperature = fit_temperature(probabilities, labels)
    assert temperature > 1
    assert np.isfinite(scale(probabilities, temperature)).all()


def test_a_model_with_a_baked_in_temperature_answers_scaled_probabilities():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, activation="softmax", name=OUTPUT_NAME)]
    )
    model.get_layer(OUTPUT_NAME).bias.assign([0.7, -0.2])
    inputs = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
    before = np.asarray(model(inputs))
    bake_temperature(model, 2.5)
    np.testing.assert_allclose(model(inputs), scale(before, 2.5), atol=1e-6)
    assert not np.allclose(model(inputs), before, atol=1e-2)
