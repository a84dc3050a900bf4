"""Reads a file for the models, for display, or for the viewer. Runs in a decoder process.

Functions and results are passed between processes, so these are module-level functions of a file's
bytes that return plain data.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from api.decoding.pixel_checks import check_pixels, image_review
from api.rejection_reason import RejectionReason
from api.review_reason import ReviewReason
from imaging.decode import decode_image
from imaging.dicom.description import DicomDescription, DicomOptions
from imaging.dicom.recognition import is_dicom
from imaging.preprocess import preprocess

_Level = TypeVar("_Level", np.uint8, np.float32)

_WHITE: Final = 255.0


@dataclass(frozen=True)
class ModelInput:
    """The input of the models, and properties of the image."""

    tensor: NDArray[np.float32]
    """``[64, 64, 3]`` RGB, 0 to 1."""
    pixel_reasons: list[RejectionReason]
    """Reasons against it being a chest scan, from the pixels alone."""
    review: list[ReviewReason]
    """Signs that it was stored or read incorrectly."""
    format: str
    width: int
    height: int
    sha256: str
    bits_used: int | None
    """The bits in use, if 16-bit samples were scaled."""
    dicom: DicomDescription | None
    decode_seconds: float
    preprocess_seconds: float


@dataclass(frozen=True)
class Picture:
    """The input of the models, and the same image for display."""

    tensor: NDArray[np.float32]
    """``[64, 64, 3]`` RGB, 0 to 1."""
    pixels: NDArray[np.uint8]
    """``[height, width, 3]`` RGB."""


@dataclass(frozen=True)
class UnwindowedImage:
    """An image before windowing, for a viewer that applies its own window."""

    values: NDArray[np.float32]
    """``[height, width]``: Hounsfield units for a CT, otherwise the stored values."""
    center: float | None
    """Centre of the window used for the models; None for a look-up table."""
    width: float | None
    inverted: bool
    """Whether the lowest value is white."""
    dicom: DicomDescription | None


def read_model_input(data: bytes, *, dicom: DicomOptions, max_pixels: int) -> ModelInput:
    """Decode a file for the models.

    Raises:
        ImageError: the file cannot be decoded.
    """
    started = time.perf_counter()
    image = decode_image(data, max_pixels=max_pixels, dicom=dicom)
    decoded = time.perf_counter()
    tensor = preprocess(image.pixels)
    finished = time.perf_counter()
    modality = None if image.dicom is None else image.dicom.modality
    return ModelInput(
        tensor=tensor,
        pixel_reasons=check_pixels(
            tensor, width=image.width, height=image.height, modality=modality
        ),
        review=image_review(tensor, bits_used=image.bits_used),
        format=image.format,
        width=image.width,
        height=image.height,
        sha256=hashlib.sha256(data).hexdigest(),
        bits_used=image.bits_used,
        dicom=image.dicom,
        decode_seconds=decoded - started,
        preprocess_seconds=finished - decoded,
    )


def read_picture(
    data: bytes, *, dicom: DicomOptions, max_pixels: int, longest_side: int
) -> Picture:
    """Decode a file for the models and for display; ``longest_side`` limits the picture, in pixels.

    Raises:
        ImageError: the file cannot be decoded.
    """
    pixels = decode_image(data, max_pixels=max_pixels, dicom=dicom).pixels
    return Picture(preprocess(pixels), _within(pixels, longest_side))


def read_unwindowed(
    data: bytes, *, dicom: DicomOptions, max_pixels: int, longest_side: int
) -> UnwindowedImage:
    """Decode a file for the viewer; ``longest_side`` limits the image, in pixels.

    Raises:
        ImageError: the file cannot be decoded.
    """
    if not is_dicom(data):
        image = decode_image(data, max_pixels=max_pixels)
        grey = cv2.cvtColor(_within(image.pixels, longest_side), cv2.COLOR_RGB2GRAY)
        return UnwindowedImage(
            grey.astype(np.float32), _WHITE / 2, _WHITE, inverted=False, dicom=None
        )
    # Imported only if needed: docs/decisions/0011.
    from imaging.dicom.reader import read_values  # noqa: PLC0415

    read = read_values(data, options=dicom, max_pixels=max_pixels)
    window = read.description.window
    return UnwindowedImage(
        _within(read.values, longest_side),
        window.center,
        window.width,
        inverted=read.inverted,
        dicom=read.description,
    )


def _within(pixels: NDArray[_Level], longest_side: int) -> NDArray[_Level]:
    height, width = pixels.shape[:2]
    scale = longest_side / max(height, width)
    if scale >= 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), pixels.dtype)
