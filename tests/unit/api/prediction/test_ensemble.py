"""Soft voting, its operating point, and the reasons to review a prediction."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.prediction.ensemble import agreement, decide, review_reasons, uncertainty, vote
from api.prediction.results import Interval, ModelResult
from api.review_reason import ReviewReason
from tests.unit.api.prediction.model_results import late_result, result_of

PROBABILITY = st.floats(0, 1)


def answer(positive: float | None, operating_point: float = 0.5) -> ModelResult:
    return late_result() if positive is None else result_of(positive, operating_point)


@given(PROBABILITY, st.floats(0.01, 0.99))
def test_the_positive_class_is_predicted_at_or_above_the_operating_point(
    positive: float, operating_point: float
):
    verdict = decide(positive, operating_point)
    assert (verdict.prediction == "COVID") == (positive >= operating_point)
    assert verdict.confidence == verdict.probabilities[verdict.prediction]
    assert sum(verdict.probabilities.values()) == pytest.approx(1)


@given(st.lists(PROBABILITY, min_size=1, max_size=5))
def test_the_ensemble_probability_is_the_mean_of_the_models(positives: list[float]):
    verdict = vote([answer(p) for p in positives], 0.5)
    assert verdict.probabilities["COVID"] == pytest.approx(sum(positives) / len(positives))


def test_a_model_that_timed_out_has_no_vote():
    assert vote([answer(0.9), answer(None)], 0.5).confidence == pytest.approx(0.9)


def test_a_vote_without_any_answer_raises_an_error():
    with pytest.raises(ValueError, match="at least one"):
        vote([answer(None)], 0.5)


def test_a_confident_model_outvotes_two_uncertain_ones():
    answers = [answer(0.99), answer(0.4), answer(0.4)]
    assert vote(answers, 0.5).prediction == "COVID"
    counted = agreement([*answers, answer(None)], "COVID")
    assert (counted.agreeing, counted.answered, counted.asked) == (1, 3, 4)


@pytest.mark.parametrize(
    ("positives", "reasons"),
    [
        ([0.9, 0.9, 0.9], []),
        ([0.9, 0.9, 0.3], ["models_disagree"]),
        ([0.6, 0.55, 0.52], ["near_operating_point"]),
        ([0.9, 0.4, 0.4], ["models_disagree", "near_operating_point"]),
        ([0.9, None, None], []),
    ],
)
def test_disagreement_or_closeness_to_the_operating_point_is_a_reason_to_review(
    positives: list[float | None], reasons: list[str]
):
    answers = [answer(positive) for positive in positives]
    verdict = vote(answers, 0.5)
    agreed = agreement(answers, verdict.prediction)
    found = review_reasons(verdict, agreed, None, forced=False, operating_point=0.5, band=0.1)
    assert found == reasons


@given(PROBABILITY, st.floats(0.01, 0.99), st.floats(0, 0.49))
def test_the_review_band_extends_to_both_sides_of_the_operating_point(
    positive: float, operating_point: float, band: float
):
    answers = [answer(positive, operating_point)]
    verdict = vote(answers, operating_point)
    agreed = agreement(answers, verdict.prediction)
    reasons = review_reasons(
        verdict, agreed, None, forced=False, operating_point=operating_point, band=band
    )
    assert bool(reasons) == (abs(positive - operating_point) <= band)


@pytest.mark.parametrize(
    ("low", "high", "unstable"),
    [(0.6, 0.9, False), (0.1, 0.49, False), (0.4, 0.7, True), (0.5, 0.7, False), (0.4, 0.5, True)],
)
def test_an_interval_that_crosses_the_operating_point_is_a_reason_to_review(
    low: float, high: float, unstable: bool
):
    answers = [answer(0.9)]
    verdict = vote(answers, 0.5)
    interval = Interval(low=low, high=high, variants=8)
    reasons = review_reasons(
        verdict,
        agreement(answers, "COVID"),
        interval,
        forced=False,
        operating_point=0.5,
        band=0,
    )
    assert ("unstable" in reasons) == unstable


def test_a_forced_prediction_is_reviewed_even_if_the_model_is_certain():
    answers = [answer(1.0)]
    verdict = vote(answers, 0.5)
    agreed = agreement(answers, "COVID")
    found = review_reasons(verdict, agreed, None, forced=True, operating_point=0.5, band=0.1)
    assert found == ["forced"]


def test_an_image_with_pixel_oddities_is_reviewed_even_if_the_model_is_certain():
    answers = [answer(1.0)]
    verdict = vote(answers, 0.5)
    found = review_reasons(
        verdict,
        agreement(answers, "COVID"),
        None,
        forced=False,
        operating_point=0.5,
        band=0.1,
        image=[ReviewReason.TOO_DARK],
    )
    assert found == ["too_dark"]


def named(*positives: float | None, version: int = 1) -> list[ModelResult]:
    return [
        dataclasses.replace(answer(positive), name=f"m{number}", version=version)
        for number, positive in enumerate(positives)
    ]


def test_uncertainty_is_the_spread_of_the_models_and_the_interval_of_the_ensemble():
    found = uncertainty(named(0.9, 0.7, 0.5), [named(0.8, 0.8, 0.8), named(0.9, 0.3, 0.6)])
    assert found.models_spread == pytest.approx(0.4)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((0.6, 0.8))
    assert found.interval.variants == 2


def test_variants_answered_by_other_models_or_versions_do_not_count():
    whole = named(0.9, 0.7)
    others = [named(0.1, None), named(0.1, 0.1, version=2)]
    found = uncertainty(whole, [*others, named(0.6, 0.6)])
    assert found.interval is not None
    assert (found.interval.low, found.interval.variants) == (pytest.approx(0.6), 1)
    assert uncertainty(whole, others).interval is None
    assert uncertainty(named(0.9, None), []).models_spread == 0
