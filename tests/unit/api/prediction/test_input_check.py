"""Images far from the training images are rejected as out-of-distribution."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.prediction.input_check import check_input
from api.prediction.results import ModelResult
from api.rejection_reason import RejectionReason
from tests.unit.api.prediction.model_results import result_of


def answer(score: float | None) -> ModelResult:
    return result_of(0.9, ood_score=score)


@given(st.lists(st.none() | st.floats(0, 3), min_size=1, max_size=4))
def test_the_mean_of_the_available_scores_decides(
    scores: list[float | None],
):
    check = check_input([], [answer(score) for score in scores], demo=False)
    given_scores = [score for score in scores if score is not None]
    if not given_scores:
        assert (check.ood_score, check.reasons) == (None, [])
    else:
        assert check.ood_score == pytest.approx(sum(given_scores) / len(given_scores))
        assert (check.reasons == ["not_chest"]) == (check.ood_score > 1)


def test_scores_of_demo_models_do_not_reject_an_image():
    check = check_input([], [answer(7.0)], demo=True)
    assert (check.reasons, check.ood_score) == ([], 7.0)


def test_scores_count_if_the_model_cards_cannot_be_read():
    assert check_input([], [answer(7.0)], demo=None).reasons == ["not_chest"]


def test_pixel_reasons_are_listed_before_the_out_of_distribution_reason():
    check = check_input([RejectionReason.TOO_SMALL], [answer(2.0)], demo=False)
    assert check.reasons == ["too_small", "not_chest"]
