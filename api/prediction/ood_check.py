"""Rejects images that are out of distribution: too far from what the models learned from."""

from collections.abc import Sequence

from api.decoding.reasons import RefusalReason
from api.prediction.results import InputCheck, ModelResult


def check_input(
    pixel_reasons: Sequence[RefusalReason], answers: Sequence[ModelResult], *, demo: bool | None
) -> InputCheck:
    """Join the pixel checks with the out-of-distribution scores of the models.

    Args:
        pixel_reasons: the result of ``check_pixels``.
        answers: of the models. The mean of their scores errs less than each of them.
        demo: whether a model learned from phantoms. Every real image is far from those, so the
            scores reject nothing then.
    """
    scores = [answer.ood_score for answer in answers if answer.ood_score is not None]
    score = sum(scores) / len(scores) if scores else None
    too_far = score is not None and score > 1 and not demo
    return InputCheck(
        reasons=[*pixel_reasons, *([RefusalReason.NOT_CHEST] if too_far else [])],
        ood_score=score,
    )
