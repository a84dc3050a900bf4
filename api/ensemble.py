"""Soft voting: from what each model answered to one verdict. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.schemas import Agreement, ClassName, ModelAnswer, ModelAnswerStatus
from serving.contract import CLASS_NAMES, POSITIVE_CLASS_INDEX

POSITIVE_CLASS: ClassName = CLASS_NAMES[POSITIVE_CLASS_INDEX]
NEGATIVE_CLASS: ClassName = CLASS_NAMES[1 - POSITIVE_CLASS_INDEX]


@dataclass(frozen=True)
class Verdict:
    """A prediction, and the probability of the class it names."""

    prediction: ClassName
    confidence: float
    probabilities: dict[ClassName, float]


def decide(positive_probability: float, operating_point: float) -> Verdict:
    """Hold the positive class's probability against the operating point."""
    probabilities = {
        POSITIVE_CLASS: positive_probability,
        NEGATIVE_CLASS: 1 - positive_probability,
    }
    prediction = POSITIVE_CLASS if positive_probability >= operating_point else NEGATIVE_CLASS
    return Verdict(prediction, probabilities[prediction], probabilities)


def vote(answers: Sequence[ModelAnswer], operating_point: float) -> Verdict:
    """The ensemble's verdict: the mean of the probabilities of the models that answered.

    Raises:
        ValueError: no model answered.
    """
    given = [answer.probabilities for answer in answers if answer.probabilities is not None]
    if not given:
        raise ValueError("an ensemble needs at least one answer")
    mean = sum(probabilities[POSITIVE_CLASS] for probabilities in given) / len(given)
    return decide(mean, operating_point)


def agreement(answers: Sequence[ModelAnswer], prediction: ClassName) -> Agreement:
    """How many models share the ensemble's prediction."""
    return Agreement(
        agreeing=sum(answer.prediction == prediction for answer in answers),
        answered=sum(answer.status is ModelAnswerStatus.OK for answer in answers),
        asked=len(answers),
    )
