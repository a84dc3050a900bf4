"""Why an image is refused, and why a prediction on it needs a review."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Why an image is refused although it can be read."""

    NOT_CHEST = "not_chest"
    """It is unlike the images that the models learned from."""
    COLOUR_PHOTO = "colour_photo"
    """It has colours that are no tint."""
    TOO_SMALL = "too_small"
    """It has less to see than the models look at."""
    BLANK = "blank"
    """It is nearly one grey level."""
    ANNOTATED = "annotated"
    """Coloured marks are drawn on it."""
    WRONG_MODALITY = "wrong_modality"
    """The DICOM file says that it is neither a CT nor a radiograph."""


class ReviewReason(StrEnum):
    """Why a verdict should not be taken as it is."""

    MODELS_DISAGREE = "models_disagree"
    NEAR_OPERATING_POINT = "near_operating_point"
    UNSTABLE = "unstable"
    """Variants of the image, where they were asked for, are called otherwise."""
    FORCED = "forced"
    """The image would have been refused."""
    BIT_DEPTH = "bit_depth"
    """Its 16-bit samples fill fewer bits (``image.bits_used``) and were scaled."""
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
