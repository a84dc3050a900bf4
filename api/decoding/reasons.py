"""Why an image is rejected, and why a prediction needs a review."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Why an image is rejected although it can be read."""

    NOT_CHEST = "not_chest"
    """It is unlike the models' training images."""
    COLOUR_PHOTO = "colour_photo"
    """It has colours beyond a uniform tint."""
    TOO_SMALL = "too_small"
    """It has fewer pixels than the models need."""
    BLANK = "blank"
    """Nearly all of it is one grey level."""
    ANNOTATED = "annotated"
    """Coloured marks are drawn on it."""
    WRONG_MODALITY = "wrong_modality"
    """The DICOM file says that it is neither a CT nor a radiograph."""


class ReviewReason(StrEnum):
    """Why a verdict should not be relied on without a review."""

    MODELS_DISAGREE = "models_disagree"
    NEAR_OPERATING_POINT = "near_operating_point"
    UNSTABLE = "unstable"
    """Augmented views of the image, if requested, get another verdict."""
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
