"""Metrics, with COVID (column 0) as the positive class."""

import numpy as np
import pytest

from trainer.evaluation import metrics, soft_vote

#                 two COVID found, one missed; three non-COVID cleared, one alarm
POSITIVE = np.array([0.9, 0.8, 0.3, 0.1, 0.2, 0.4, 0.6], np.float32)
LABELS = np.array([0, 0, 0, 1, 1, 1, 1])


def rows(positive: np.ndarray) -> np.ndarray:
    return np.stack([positive, 1 - positive], 1)


def test_metrics_by_hand():
    scores = metrics(rows(POSITIVE), LABELS)
    assert scores["accuracy"] == pytest.approx(5 / 7)
    assert scores["sensitivity"] == pytest.approx(2 / 3)
    assert scores["specificity"] == pytest.approx(3 / 4)
    # Of the 12 pairs of a COVID and a non-COVID image, 0.3 loses against 0.4 and 0.6.
    assert scores["auroc"] == pytest.approx(10 / 12)


def test_the_operating_point_trades_specificity_for_sensitivity():
    scores = metrics(rows(POSITIVE), LABELS, operating_point=0.25)
    assert (scores["sensitivity"], scores["specificity"]) == (1, 0.5)


def test_a_perfect_model_is_perfect():
    scores = metrics(rows(1.0 - LABELS), LABELS)
    assert set(scores.values()) == {1.0}


def test_soft_voting_is_the_mean():
    voted = soft_vote([rows(np.array([0.2])), rows(np.array([0.6]))])
    np.testing.assert_allclose(voted, rows(np.array([0.4])))
