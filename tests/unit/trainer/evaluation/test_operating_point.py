"""The operating point, chosen on validation, is the best point of the ROC curve."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trainer.errors import TrainingError
from trainer.evaluation.metrics import measure
from trainer.evaluation.operating_point import choose_operating_point


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    count = draw(st.integers(0, 38))
    ties = draw(st.lists(st.integers(0, 20), min_size=count + 2, max_size=count + 2))
    labels = [0, 1, *draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))]
    score = np.array(ties) / 20
    return np.stack([score, 1 - score], axis=1), np.array(labels)


def every_point(probabilities: np.ndarray, labels: np.ndarray) -> list[tuple[float, float]]:
    """Sensitivity and specificity at each threshold that gives another result."""
    measured = [measure(probabilities, labels, each) for each in np.arange(-0.5, 21) / 20]
    return [(each["sensitivity"], each["specificity"]) for each in measured]


@settings(deadline=None)
@given(answers())
def test_the_point_maximises_the_sum_of_sensitivity_and_specificity(
    predictions: tuple[np.ndarray, np.ndarray],
):
    point = choose_operating_point(*predictions)
    measured = measure(*predictions, point)
    best = max(sum(each) for each in every_point(*predictions))
    # The ends of the curve, where all or no images are called COVID, must not be chosen.
    assert measured["sensitivity"] + measured["specificity"] == pytest.approx(max(best, 1))
    assert 0 <= point < 1


@settings(deadline=None)
@given(answers(), st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_a_minimum_sensitivity_selects_the_most_specific_point_that_reaches_it(
    predictions: tuple[np.ndarray, np.ndarray], min_sensitivity: float
):
    enough = [each for each in every_point(*predictions) if each[0] >= min_sensitivity]
    best = max(specificity for _, specificity in enough)
    if best == 0:
        with pytest.raises(TrainingError, match="choose a lower --min-sensitivity"):
            choose_operating_point(*predictions, min_sensitivity=min_sensitivity)
        return
    measured = measure(
        *predictions, choose_operating_point(*predictions, min_sensitivity=min_sensitivity)
    )
    assert measured["sensitivity"] >= min_sensitivity
    assert measured["specificity"] == best


@settings(deadline=None)
@given(answers())
def test_the_point_of_a_model_better_than_chance_is_between_0_and_1(
    predictions: tuple[np.ndarray, np.ndarray],
):
    assume(max(sum(each) for each in every_point(*predictions)) > 1)
    assert 0 < choose_operating_point(*predictions) < 1


def test_the_point_is_halfway_between_the_scores_on_both_sides():
    score = np.array([0.9, 0.8, 0.4, 0.1])
    probabilities, labels = np.stack([score, 1 - score], axis=1), np.array([0, 0, 1, 1])
    assert choose_operating_point(probabilities, labels) == pytest.approx(0.6)
