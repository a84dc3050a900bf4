"""Confidence intervals are wider for small test sets and for several images per patient."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from trainer.evaluation import bootstrap
from trainer.evaluation.bootstrap import Estimate, measure_with_intervals


def draw(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    score = np.clip(rng.normal(0.65 - 0.3 * labels, 0.25), 0, 1)
    return np.stack([score, 1 - score], axis=1), labels


def width(probabilities: np.ndarray, labels: np.ndarray, **options: Any) -> float:
    estimate = measure_with_intervals(probabilities, labels, **options)["accuracy"]
    return estimate.high - estimate.low


def test_every_interval_contains_its_value_and_stays_between_0_and_1():
    for name, each in measure_with_intervals(*draw(80)).items():
        assert 0 <= each.low < each.high <= 1, name
        # Resampled bins hold fewer different images, which biases this metric upwards.
        if name != "ece":
            assert each.low <= each.value <= each.high, name


def test_the_seed_determines_the_intervals():
    assert measure_with_intervals(*draw(80)) == measure_with_intervals(*draw(80))
    assert measure_with_intervals(*draw(80)) != measure_with_intervals(*draw(80), seed=1)


def test_more_images_give_a_narrower_interval():
    assert width(*draw(1600)) < 0.5 * width(*draw(80))


def test_the_sensitivity_interval_is_close_to_the_binomial_one():
    probabilities, labels = draw(400)
    estimate = measure_with_intervals(probabilities, labels)["sensitivity"]
    expected = binom(200, estimate.value).ppf([0.025, 0.975]) / 200
    assert [estimate.low, estimate.high] == pytest.approx(expected, abs=0.015)


def test_the_accuracy_interval_is_close_to_the_wilson_interval():
    probabilities, labels = draw(400)
    estimate = measure_with_intervals(probabilities, labels)["accuracy"]
    correct = round(estimate.value * 400)
    expected = binomtest(correct, 400).proportion_ci(0.95, method="wilson")
    assert (estimate.low, estimate.high) == pytest.approx(tuple(expected), abs=0.015)


def test_images_are_resampled_class_by_class():
    labels = np.array([0] * 10 + [1] * 30)
    always_negative = np.tile([0.1, 0.9], (40, 1))
    estimate = measure_with_intervals(always_negative, labels)["accuracy"]
    assert (estimate.low, estimate.value, estimate.high) == (0.75, 0.75, 0.75)


def test_intervals_are_computed_at_the_operating_point():
    probabilities, labels = draw(80)
    all_positive = measure_with_intervals(probabilities, labels, 0.0)
    assert all_positive["sensitivity"] == Estimate(1, 1, 1)
    assert all_positive["specificity"] == Estimate(0, 0, 0)


def test_several_slices_per_patient_widen_the_interval():
    probabilities, labels = draw(40)
    slices = np.repeat(probabilities, 10, axis=0), np.repeat(labels, 10)
    patients = np.repeat(np.arange(40), 10)
    assert width(*slices, groups=patients) > 2 * width(*slices)


def test_every_resample_contains_both_classes():
    probabilities, labels = draw(12)
    patients = np.array([0, 1] * 6)
    estimates = measure_with_intervals(probabilities, labels, groups=patients)
    assert all(np.isfinite([each.low, each.high]).all() for each in estimates.values())


def test_resampling_in_pieces_to_bound_memory_gives_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
):
    whole = measure_with_intervals(*draw(80), resamples=50)
    monkeypatch.setattr(bootstrap, "_MAX_WEIGHTS", 80 * 7)
    assert measure_with_intervals(*draw(80), resamples=50) == whole
