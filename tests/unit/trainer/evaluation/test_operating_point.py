"""The operating point, chosen on validation: the best that the ROC curve has to offer."""

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
    """Sensitivity and specificity at each threshold that makes a difference."""
    measured = [measure(probabilities, labels, each) for each in np.arange(-0.5, 21) / 20]
    return [(each["sensitivity"], each["specificity"]) for each in measured]


@settings(deadline=None)
@given(answers())
def test_it_is_where_sensitivity_and_specificity_are_highest_together(
    given_answers: tuple[np.ndarray, np.ndarray],
):
    point = choose_operating_point(*given_answers)
    measured = measure(*given_answers, point)
    best = max(sum(each) for each in every_point(*given_answers))
    # Calling everything COVID, or nothing, is a point of the curve, but none to choose.
    assert measured["sensitivity"] + measured["specificity"] == pytest.approx(max(best, 1))
    assert 0 <= point < 1


@settings(deadline=None)
@given(answers(), st.sampled_from([0.5, 0.8, 0.95, 1.0]))
def test_it_is_the_most_specific_that_is_sensitive_enough(
    given_answers: tuple[np.ndarray, np.ndarray], wanted: float
):
    enough = [each for each in every_point(*given_answers) if each[0] >= wanted]
    best = max(specificity for _, specificity in enough)
    if best == 0:
        with pytest.raises(TrainingError, match="choose a lower --min-sensitivity"):
            choose_operating_point(*given_answers, min_sensitivity=wanted)
        return
    measured = measure(
        *given_answers, choose_operating_point(*given_answers, min_sensitivity=wanted)
    )
    assert measured["sensitivity"] >= wanted
    assert measured["specificity"] == best


@settings(deadline=None)
@given(answers())
def test_of_a_model_better_than_chance_it_lies_between_0_and_1(
    given_answers: tuple[np.ndarray, np.ndarray],
):
    assume(max(sum(each) for each in every_point(*given_answers)) > 1)
    assert 0 < choose_operating_point(*given_answers) < 1


def test_it_is_half_way_between_the_last_found_and_the_first_cleared():
    score = np.array([0.9, 0.8, 0.4, 0.1])
    probabilities, labels = np.stack([score, 1 - score], axis=1), np.array([0, 0, 1, 1])
    assert choose_operating_point(probabilities, labels) == pytest.approx(0.6)
