"""Soft voting: combines the models' results into one verdict. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.prediction.results import (
    Agreement,
    ClassName,
    Interval,
    ModelAnswerStatus,
    ModelResult,
    Uncertainty,
)
from api.review_reason import ReviewReason
from serving.contract import CLASS_NAMES, POSITIVE_CLASS_INDEX
from serving.probabilities import soft_vote

POSITIVE_CLASS: ClassName = CLASS_NAMES[POSITIVE_CLASS_INDEX]
NEGATIVE_CLASS: ClassName = CLASS_NAMES[1 - POSITIVE_CLASS_INDEX]


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


def vote(answers: Sequence[ModelResult], operating_point: float) -> Verdict:
    """The ensemble's verdict: the mean of the probabilities of the models that answered.

    Raises:
        ValueError: no model answered.
    """
    given = [answer.probabilities for answer in answers if answer.probabilities is not None]
    if not given:
        raise ValueError("an ensemble needs at least one answer")
    mean = soft_vote([probabilities[POSITIVE_CLASS] for probabilities in given])
    return decide(mean, operating_point)


def agreement(answers: Sequence[ModelResult], prediction: ClassName) -> Agreement:
    """How many models agree with the ensemble's prediction."""
    return Agreement(
        agreeing=sum(answer.prediction == prediction for answer in answers),
        answered=sum(answer.status is ModelAnswerStatus.OK for answer in answers),
        asked=len(answers),
    )


def uncertainty(
    answers: Sequence[ModelResult], of_variants: Sequence[Sequence[ModelResult]]
) -> Uncertainty:
    """How much the models differ, and the ensemble's probability over augmented variants.

    Args:
        answers: the models' results for the image; at least one has probabilities.
        of_variants: the models' results for each variant. A variant that was answered by other
            models or versions is not comparable and is left out.
    """
    positives = [answer.probabilities[POSITIVE_CLASS] for answer in answers if answer.probabilities]
    asked = _versions(answers)
    ensembles = [
        vote(each, operating_point=0.5).probabilities[POSITIVE_CLASS]
        for each in (answers, *of_variants)
        if _versions(each) == asked
    ]
    variants = len(ensembles) - 1
    return Uncertainty(
        models_spread=max(positives) - min(positives),
        interval=Interval(low=min(ensembles), high=max(ensembles), variants=variants)
        if variants
        else None,
    )


def _versions(answers: Sequence[ModelResult]) -> dict[str, int | None]:
    return {answer.name: answer.version for answer in answers if answer.probabilities}


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
