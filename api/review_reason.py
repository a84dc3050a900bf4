"""Why a prediction needs a review."""

from enum import StrEnum


class ReviewReason(StrEnum):
    """Why a verdict should not be relied on without a review."""

    MODELS_DISAGREE = "models_disagree"
    NEAR_OPERATING_POINT = "near_operating_point"
    UNSTABLE = "unstable"
    """Augmented variants of the image, if requested, get another verdict."""
    FORCED = "forced"
    """The image would have been rejected without ``force``."""
    BIT_DEPTH = "bit_depth"
    """Its 16-bit samples use fewer bits (``image.bits_used``) and were scaled."""
    SATURATED = "saturated"
    """Most of what the models see is black or white."""
    FEW_GREY_LEVELS = "few_grey_levels"
    """The models see few grey levels."""
    TOO_DARK = "too_dark"
    """Nothing that the models see is bright."""
    TOO_BRIGHT = "too_bright"
    """Nothing that the models see is dark."""
    NOISE = "noise"
    """The models see noise."""
