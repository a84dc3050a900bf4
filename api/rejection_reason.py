"""Why an image is rejected."""

from enum import StrEnum


class RejectionReason(StrEnum):
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
