"""What is read of a file: for the models, for people, and for a viewer. Runs in a decoder process.

Everything here is a plain function of a file's bytes, and its results are plain data, as both
travel between processes.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from api.decoding.pixel_checks import check_pixels, image_review
from api.decoding.reasons import RefusalReason, ReviewReason
from imaging.dicom.description import DicomDescription, DicomOptions
from imaging.dicom.recognition import is_dicom
from imaging.preprocess import decode_image, preprocess

_Level = TypeVar("_Level", np.uint8, np.float32)

_WHITE: Final = 255.0


@dataclass(frozen=True)
class ModelInput:
    """An image as the models take it, and what it is."""

    tensor: NDArray[np.float32]
    """``[64, 64, 3]`` RGB, 0 to 1."""
    pixel_reasons: list[RefusalReason]
    """What speaks against it as a chest scan, before any model is asked."""
    review: list[ReviewReason]
    """Why it may have been stored or read wrongly."""
    format: str
    width: int
    height: int
    sha256: str
    bits_used: int | None
    """Of 16-bit samples that were scaled."""
    dicom: DicomDescription | None
    decode_seconds: float
    preprocess_seconds: float


@dataclass(frozen=True)
class Picture:
    """An image as the models take it, and as people see it."""

    tensor: NDArray[np.float32]
    """``[64, 64, 3]`` RGB, 0 to 1."""
    pixels: NDArray[np.uint8]
    """``[height, width, 3]`` RGB."""


@dataclass(frozen=True)
class UnwindowedImage:
    """An image before any window, for a viewer that has windows of its own."""

    values: NDArray[np.float32]
    """``[height, width]``: Hounsfield units in a CT, otherwise what the file stores."""
    center: float | None
    """Of the window that the models see it through; none of a look-up table."""
    width: float | None
    inverted: bool
    """Whether the lowest value is white."""
    dicom: DicomDescription | None


def read_model_input(data: bytes, *, dicom: DicomOptions, max_pixels: int) -> ModelInput:
    """Read a file for the models.

    Raises:
        ImageError: it cannot be read.
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
    """Read a file for the models and for people; ``longest_side`` bounds the picture, in pixels.

    Raises:
        ImageError: it cannot be read.
    """
    pixels = decode_image(data, max_pixels=max_pixels, dicom=dicom).pixels
    return Picture(preprocess(pixels), _within(pixels, longest_side))


def read_unwindowed(
    data: bytes, *, dicom: DicomOptions, max_pixels: int, longest_side: int
) -> UnwindowedImage:
    """Read a file for a viewer; ``longest_side`` bounds what it is given, in pixels.

    Raises:
        ImageError: it cannot be read.
    """
    if not is_dicom(data):
        image = decode_image(data, max_pixels=max_pixels)
        grey = cv2.cvtColor(_within(image.pixels, longest_side), cv2.COLOR_RGB2GRAY)
        return UnwindowedImage(
            grey.astype(np.float32), _WHITE / 2, _WHITE, inverted=False, dicom=None
        )
    # Only where it is needed: docs/decisions/0011.
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
