"""Soft voting: combines the models' results into one verdict. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.prediction.results import (
    Agreement,
    Interval,
    ModelResult,
    ModelStatus,
    Uncertainty,
)
from api.review_reason import ReviewReason
from serving.contract import NEGATIVE_CLASS, POSITIVE_CLASS, ClassName
from serving.probabilities import soft_vote


@dataclass(frozen=True)
class Verdict:
    """A prediction and the probability of the predicted class."""

    prediction: ClassName
    confidence: float
    probabilities: dict[ClassName, float]


def decide(positive_probability: float, operating_point: float) -> Verdict:
    """Predict the positive class if its probability reaches the operating point."""
    probabilities = {
        POSITIVE_CLASS: positive_probability,
        NEGATIVE_CLASS: 1 - positive_probability,
    }
    prediction = POSITIVE_CLASS if positive_probability >= operating_point else NEGATIVE_CLASS
    return Verdict(prediction, probabilities[prediction], probabilities)


def vote(results: Sequence[ModelResult], operating_point: float) -> Verdict:
    """The ensemble's verdict: the mean of the probabilities of the models that answered.

    Raises:
        ValueError: no model answered.
    """
    given = [result.probabilities for result in results if result.probabilities is not None]
    if not given:
        raise ValueError("an ensemble needs at least one result")
    mean = soft_vote([probabilities[POSITIVE_CLASS] for probabilities in given])
    return decide(mean, operating_point)


def agreement(results: Sequence[ModelResult], prediction: ClassName) -> Agreement:
    """How many models agree with the ensemble's prediction."""
    return Agreement(
        agreeing=sum(result.prediction == prediction for result in results),
        answered=sum(result.status is ModelStatus.OK for result in results),
        asked=len(results),
    )


def uncertainty(
    results: Sequence[ModelResult], of_variants: Sequence[Sequence[ModelResult]]
) -> Uncertainty:
    """How much the models differ, and the ensemble's probability over augmented variants.

    Args:
        results: of the models for the image; at least one has probabilities.
        of_variants: the models' results for each variant. A variant that was answered by other
            models or versions is not comparable and is left out.
    """
    positives = [result.probabilities[POSITIVE_CLASS] for result in results if result.probabilities]
    asked = _versions(results)
    ensembles = [
        vote(each, operating_point=0.5).probabilities[POSITIVE_CLASS]
        for each in (results, *of_variants)
        if _versions(each) == asked
    ]
    variants = len(ensembles) - 1
    return Uncertainty(
        models_spread=max(positives) - min(positives),
        interval=Interval(low=min(ensembles), high=max(ensembles), variants=variants)
        if variants
        else None,
    )


def _versions(results: Sequence[ModelResult]) -> dict[str, int | None]:
    return {result.name: result.version for result in results if result.probabilities}


def review_reasons(
    verdict: Verdict,
    agreed: Agreement,
    interval: Interval | None,
    *,
    forced: bool,
    operating_point: float,
    band: float,
    image: Sequence[ReviewReason] = (),
) -> list[ReviewReason]:
    """The reasons to review the image before anyone relies on the verdict; often empty.

    Args:
        verdict: of the ensemble.
        agreed: how many models agree with it.
        interval: of the ensemble's probability over augmented variants, if there are any.
        forced: whether the image would have been rejected without ``force``.
        operating_point: the lowest probability at which the positive class is predicted.
        band: the distance from the operating point within which a probability needs a review.
        image: signs that the image itself was stored or read incorrectly.
    """
    reasons = []
    if agreed.agreeing < agreed.answered:
        reasons.append(ReviewReason.MODELS_DISAGREE)
    if abs(verdict.probabilities[POSITIVE_CLASS] - operating_point) <= band:
        reasons.append(ReviewReason.NEAR_OPERATING_POINT)
    if interval is not None and interval.low < operating_point <= interval.high:
        reasons.append(ReviewReason.UNSTABLE)
    if forced:
        reasons.append(ReviewReason.FORCED)
    return [*reasons, *image]
