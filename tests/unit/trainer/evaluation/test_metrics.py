"""Metrics with COVID as the positive class agree with hand counts and with scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from trainer.evaluation.metrics import Confusion, confusion, measure, measure_weighted

LABELS = np.array([0, 0, 0, 1, 1, 1, 1])


def probabilities_of(positive: list[float] | np.ndarray) -> np.ndarray:
    """Probabilities ``[N, 2]`` with the scores of COVID in the first column."""
    score = np.asarray(positive, np.float64)
    return np.stack([score, 1 - score], axis=1)


PROBABILITIES = probabilities_of([0.9, 0.8, 0.3, 0.1, 0.2, 0.4, 0.6])


def test_metrics_agree_with_hand_counts():
    measured = measure(PROBABILITIES, LABELS)
    assert measured["accuracy"] == pytest.approx(5 / 7)
    assert measured["sensitivity"] == pytest.approx(2 / 3)
    assert measured["specificity"] == pytest.approx(3 / 4)
    assert measured["auroc"] == pytest.approx(10 / 12)
    assert confusion(PROBABILITIES, LABELS) == Confusion(
        true_positives=2, false_negatives=1, false_positives=1, true_negatives=3
    )


def test_the_operating_point_changes_sensitivity_and_specificity_but_not_auroc():
    measured = measure(PROBABILITIES, LABELS, 0.25)
    assert (measured["sensitivity"], measured["specificity"]) == (1, 0.5)
    assert measured["auroc"] == measure(PROBABILITIES, LABELS)["auroc"]


def test_a_score_equal_to_the_operating_point_is_positive():
    assert measure(probabilities_of([0.5, 0.4]), np.array([0, 1]))["accuracy"] == 1
    assert confusion(probabilities_of([0.5, 0.4]), np.array([0, 1])).true_positives == 1


def test_a_perfect_model_has_no_error():
    measured = measure(probabilities_of([1, 1, 1, 0, 0, 0, 0]), LABELS)
    assert {measured.pop("brier"), measured.pop("ece")} == {0}
    assert set(measured.values()) == {1}


scores = st.lists(st.integers(0, 20), min_size=3, max_size=60)


@settings(deadline=None)
@given(scores, st.randoms(use_true_random=False), st.sampled_from([0.2, 0.5, 0.73]))
def test_metrics_agree_with_scikit_learn(ties: list[int], random: object, threshold: float):
    score = np.array(ties) / 20
    truth = np.array([True, False] + [random.random() < 0.4 for _ in ties[2:]])
    predicted = score >= threshold
    measured = measure(probabilities_of(score), np.where(truth, 0, 1), threshold)
    expected = {
        "accuracy": reference.accuracy_score(truth, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, predicted),
        "sensitivity": reference.recall_score(truth, predicted),
        "specificity": reference.recall_score(~truth, ~predicted),
        "f1": reference.f1_score(truth, predicted),
        "auroc": reference.roc_auc_score(truth, score),
        "average_precision": reference.average_precision_score(truth, score),
        "brier": reference.brier_score_loss(truth, score),
    }
    assert {name: measured[name] for name in expected} == pytest.approx(expected)


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_a_weight_counts_like_that_number_of_images(seed: int):
    rng = np.random.default_rng(seed)
    probabilities, labels = probabilities_of(rng.random(30).round(1)), rng.permutation([0, 1] * 15)
    weights = rng.integers(0, 4, (2, 30)).astype(float)
    weights[:, :2] = 1
    labels[:2] = 0, 1
    measured = measure_weighted(probabilities, labels, weights, 0.5)
    for row, times in enumerate(weights.astype(int)):
        repeated = measure(np.repeat(probabilities, times, axis=0), np.repeat(labels, times))
        assert {name: values[row] for name, values in measured.items()} == pytest.approx(repeated)


def test_calibration_error_is_the_difference_of_probabilities_and_frequencies():
    labels = np.array([0] * 6 + [1] * 4)
    assert measure(probabilities_of([0.8] * 10), labels)["ece"] == pytest.approx(0.2)
    assert measure(probabilities_of([0.6] * 10), labels)["ece"] == pytest.approx(0)


def test_bins_are_weighted_by_their_number_of_images():
    labels = np.array([0, 0, 1, 1])
    # Three images between 0.9 and 1, two of which are COVID, and one at 0.25 that is not.
    expected = (3 * abs(0.95 - 2 / 3) + abs(0.25 - 0)) / 4
    assert measure(probabilities_of([0.95, 0.95, 0.95, 0.25]), labels)["ece"] == pytest.approx(
        expected
    )


def test_errors_of_different_bins_do_not_cancel_out():
    labels = np.array([0, 1])
    # The mean probability is right overall, because half are COVID, but wrong in each bin.
    assert measure(probabilities_of([0.05, 0.95]), labels)["ece"] == pytest.approx(0.95)
    assert measure(probabilities_of([0.44, 0.56]), labels)["ece"] == pytest.approx(0.56)
    # Within one of the ten bins they do: 0.5 and 0.59 share a bin, and 0.6 starts the next.
    assert measure(probabilities_of([0.5, 0.59]), labels)["ece"] == pytest.approx(0.045)
    assert measure(probabilities_of([0.5, 0.61]), labels)["ece"] == pytest.approx((0.5 + 0.61) / 2)


def test_calibrated_probabilities_have_almost_no_calibration_error():
    rng = np.random.default_rng(0)
    score = rng.random(20_000)
    labels = np.where(rng.random(20_000) < score, 0, 1)
    assert measure(probabilities_of(score), labels)["ece"] < 0.02
    assert measure(probabilities_of(score**3), labels)["ece"] > 0.1


def test_32_bit_and_64_bit_probabilities_give_the_same_decisions():
    probabilities = np.array([[0.7, 0.3]] * 3 + [[0.1, 0.9]], np.float32)
    labels = np.array([0, 0, 0, 1])
    counted = confusion(probabilities, labels, 0.7)
    assert counted.true_positives / 3 == measure(probabilities, labels, 0.7)["sensitivity"]
