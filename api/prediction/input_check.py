"""Combines the pixel checks with the out-of-distribution scores of the models."""

from collections.abc import Sequence

from api.prediction.results import InputCheck, ModelResult
from api.rejection_reason import RejectionReason


def check_input(
    pixel_reasons: Sequence[RejectionReason], results: Sequence[ModelResult], *, demo: bool | None
) -> InputCheck:
    """Combine the pixel checks with the out-of-distribution scores of the models.

    Args:
        pixel_reasons: the result of ``check_pixels``.
        results: of the models. The mean of their scores is more accurate than any single score.
        demo: whether a model was trained on phantoms. Every real image is different from those,
            so the scores then reject nothing.
    """
    scores = [result.ood_score for result in results if result.ood_score is not None]
    score = sum(scores) / len(scores) if scores else None
    too_different = score is not None and score > 1 and not demo
    return InputCheck(
        reasons=[*pixel_reasons, *([RejectionReason.NOT_CHEST] if too_different else [])],
        ood_score=score,
    )
