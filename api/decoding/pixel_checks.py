"""Checks pixels before any model is asked: is it a chest scan, and was it stored correctly?

Images are rejected only in clear cases: white arrows and letters look like bones, and a tint looks
like old film (docs/decisions/0013).
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from api.rejection_reason import RejectionReason
from api.review_reason import ReviewReason
from imaging.dicom.description import MODALITIES
from imaging.model_input import IMAGE_SIZE
from imaging.plausibility import oddities

MIN_SIDE: Final = IMAGE_SIZE // 2
"""In pixels. A smaller image would be enlarged to more than twice its size for the models."""

_MIN_DEVIATION: Final = 0.03
"""Standard deviation of the grey levels, as a share of their range; real slices have at least
0.09."""
_TONES: Final = 16
_TINT_TOLERANCE: Final = 0.06
"""The deviation of a channel from its mean at the same grey level; JPEG artefacts stay below it."""
_MARK: Final = 0.1
_COLOURFUL_SHARE: Final = 0.05
"""As a share of all pixels; the largest of 67 circles drawn on real images had 0.03."""
_MARKED_SHARE: Final = 0.002
"""Eight of the pixels that the models see."""


def check_pixels(
    tensor: NDArray[np.float32], *, width: int, height: int, modality: str | None
) -> list[RejectionReason]:
    """The reasons to reject an image as not being a chest scan.

    Args:
        tensor: the input of the models, float32 ``[64, 64, 3]`` RGB, 0 to 1.
        width: of the original image, in pixels.
        height: of the original image, in pixels.
        modality: of a DICOM file, otherwise None.
    """
    reasons = []
    if modality is not None and modality not in MODALITIES:
        reasons.append(RejectionReason.WRONG_MODALITY)
    if min(width, height) < MIN_SIDE:
        reasons.append(RejectionReason.TOO_SMALL)
    if cv2.meanStdDev(cv2.cvtColor(tensor, cv2.COLOR_RGB2GRAY))[1].item() < _MIN_DEVIATION:
        reasons.append(RejectionReason.BLANK)
    strengths = _colour_strengths(tensor)
    if (strengths > _TINT_TOLERANCE).mean() > _COLOURFUL_SHARE:
        reasons.append(RejectionReason.COLOUR_PHOTO)
    elif (strengths > _MARK).mean() >= _MARKED_SHARE:
        reasons.append(RejectionReason.ANNOTATED)
    return reasons


def image_review(tensor: NDArray[np.float32], *, bits_used: int | None) -> list[ReviewReason]:
    """Signs that an image was stored or read incorrectly, which would make a verdict meaningless.

    Args:
        tensor: the input of the models, float32 ``[64, 64, 3]`` RGB, 0 to 1.
        bits_used: the bits in use, if 16-bit samples were scaled.
    """
    reasons = [ReviewReason(oddity) for oddity in oddities(tensor)]
    return reasons if bits_used is None else [ReviewReason.BIT_DEPTH, *reasons]


def _colour_strengths(tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """How strongly each pixel is coloured, beyond the tint of its grey level, ``[64 * 64]``.

    Films have a tint, and scanners add one; it is the same wherever the grey level is the same.
    """
    red, green, blue = cv2.split(tensor)
    if (
        max(cv2.norm(red, green, cv2.NORM_INF), cv2.norm(green, blue, cv2.NORM_INF))
        <= _TINT_TOLERANCE
    ):
        return np.zeros(tensor.shape[0] * tensor.shape[1], np.float32)
    grey = tensor.mean(axis=-1)
    tints = (tensor - grey[..., None]).reshape(-1, tensor.shape[-1])
    tones = np.minimum((grey * _TONES).astype(np.intp), _TONES - 1).ravel()
    counts = np.maximum(np.bincount(tones, minlength=_TONES), 1)
    usual = np.stack([np.bincount(tones, tint, _TONES) / counts for tint in tints.T], axis=1)
    strengths: NDArray[np.float32] = np.abs(tints - usual[tones]).max(axis=1).astype(np.float32)
    return strengths
