"""Which rows are probability distributions, and the soft vote of several models."""

import numpy as np
import pytest

from serving.probabilities import are_distributions, soft_vote


@pytest.mark.parametrize("row", [[0.5, 0.5], [1.0, 0.0], [0.994, 0.0], [-0.005, 1.0]], ids=str)
def test_rounded_probabilities_are_accepted(row: list[float]):
    assert are_distributions(np.array([row], np.float32))


@pytest.mark.parametrize(
    "row", [[0.5, 0.4], [1.2, -0.2], [np.nan, 1.0], [np.inf, -np.inf]], ids=str
)
def test_other_rows_are_not_distributions(row: list[float]):
    assert not are_distributions(np.array([[0.5, 0.5], row], np.float32))


def test_the_soft_vote_is_the_mean_of_numbers_or_arrays():
    assert soft_vote([0.2, 0.3, 0.7]) == pytest.approx(0.4)
    one, other = np.array([[0.2, 0.8]]), np.array([[0.6, 0.4]])
    np.testing.assert_allclose(soft_vote([one, other]), [[0.4, 0.6]])
    np.testing.assert_allclose(one, [[0.2, 0.8]])
