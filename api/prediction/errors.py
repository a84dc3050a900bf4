"""Why a readable image gets no prediction.

::

    PredictionError
    ├── RejectedImageError            it does not look like a chest scan
    └── ModelsUnavailableError       too few models answered
        ├── ModelsInTrainingError        some are still being trained
        └── ModelsTimeoutError           all of them timed out
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Final

from api.rejection_reason import RejectionReason
from imaging.errors import WrongModalityError
from serving.training_progress import TrainingProgress

_MAX_RETRY_SECONDS: Final = 60


class PredictionError(Exception):
    """The base of all errors of a prediction."""

    kind: ClassVar[str]
    """Stable and machine-readable."""


class RejectedImageError(PredictionError):
    """The image can be read, but does not look like a chest scan that the models can classify.

    Args:
        reasons: at least one.
    """

    kind = "rejected-image"

    def __init__(self, reasons: Sequence[RejectionReason]) -> None:
        super().__init__(", and ".join(_REJECTIONS[reason] for reason in reasons))
        self.reasons = reasons


class ModelsUnavailableError(PredictionError):
    """Too few models answered."""

    kind = "models-unavailable"
    retry_after_seconds = 1


class ModelsInTrainingError(ModelsUnavailableError):
    """Too few models can answer, because some are still being trained.

    Args:
        progress: of the training.
    """

    kind = "models-in-training"

    def __init__(self, progress: TrainingProgress) -> None:
        super().__init__(
            f"the demo models are still being trained ({100 * progress.share:.0f} % done, about"
            f" {progress.remaining_seconds:.0f} s left); the first model answers as soon as it is"
            " published; try again"
        )
        self.retry_after_seconds = min(
            max(math.ceil(progress.next_model_seconds), 1), _MAX_RETRY_SECONDS
        )


class ModelsTimeoutError(ModelsUnavailableError):
    """No model answered within its deadline."""

    kind = "models-timeout"


def rejection_reasons(error: Exception) -> Sequence[RejectionReason]:
    """The machine-readable reasons why an image is rejected; empty for all other errors."""
    if isinstance(error, RejectedImageError):
        return error.reasons
    return (RejectionReason.WRONG_MODALITY,) if isinstance(error, WrongModalityError) else ()


_REJECTIONS: Final = {
    RejectionReason.NOT_CHEST: "the image is unlike the chest images that the models learned from",
    RejectionReason.COLOUR_PHOTO: "the image is a colour picture, and chest images are greyscale",
    RejectionReason.TOO_SMALL: "the image has fewer pixels per side than the models need",
    RejectionReason.BLANK: "the image is empty: nearly all of it is one grey level",
    RejectionReason.ANNOTATED: "coloured marks are drawn on the image, which the models would see"
    " as part of the chest",
    RejectionReason.WRONG_MODALITY: "the DICOM file is neither a CT nor a radiograph",
}
