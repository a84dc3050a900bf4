"""A DICOM file, to the pixels that the preprocess takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from imaging.dicom.data_set import DATA_SET_ERRORS, read_data_set
from imaging.dicom.description import DicomDescription, DicomOptions
from imaging.dicom.frame import read_frame
from imaging.dicom.header import DicomHeader, read_header
from imaging.dicom.rendering import Rendering, render
from imaging.errors import DamagedImageError, NoSuchFrameError
from imaging.limits import check_size


@dataclass(frozen=True)
class DicomImage:
    """A frame as uint8 ``[height, width, 3]`` RGB, and what it is."""

    pixels: NDArray[np.uint8]
    description: DicomDescription


@dataclass(frozen=True)
class DicomValues:
    """A frame before any window, float32 ``[height, width]``, and what it is."""

    values: NDArray[np.float32]
    description: DicomDescription
    inverted: bool
    """Whether the lowest value is white."""


def read_dicom(data: bytes, *, options: DicomOptions, max_pixels: int) -> DicomImage:
    """Read one frame of a CT or a radiograph.

    Raises:
        WrongModalityError: it is neither.
        NoPixelsError: it has no image.
        UnsupportedTransferSyntaxError: its pixels are encoded in a way that is not read.
        UnsupportedPixelsError: it has colours, or numbers of another size.
        NoSuchFrameError: it has fewer frames than the one that is asked for.
        TooManyPixelsError: a frame has more than ``max_pixels``, or a side longer than
            ``MAX_SIDE``; nothing was decoded.
        DamagedImageError: it is truncated, corrupt, or in too many pieces.
    """
    with damage_reported():
        grey, description = _grey(data, options, max_pixels)
    pixels = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    return DicomImage(pixels, description)


def _grey(
    data: bytes, options: DicomOptions, max_pixels: int
) -> tuple[NDArray[np.uint8], DicomDescription]:
    """A frame in grey; what it came from is freed before the picture is made of it."""
    read = _read(data, options, max_pixels)
    rendering = render(*read, options.window)
    return rendering.grey(), _describe(read, rendering)


def read_values(data: bytes, *, options: DicomOptions, max_pixels: int) -> DicomValues:
    """Read one frame of a CT or a radiograph for a viewer that has windows of its own.

    Raises:
        UnreadableDicomError: see ``read_dicom``.
        TooManyPixelsError: see ``read_dicom``.
        DamagedImageError: see ``read_dicom``.
    """
    with damage_reported():
        read = _read(data, options, max_pixels)
        rendering = render(*read, options.window)
        values = rendering.unwindowed()
    return DicomValues(values, _describe(read, rendering), read.header.inverted)


class _Read(NamedTuple):
    """A frame's values, and where they are from."""

    stored: NDArray[np.integer[Any]]
    data_set: FileDataset
    header: DicomHeader
    frame_index: int
    """Of the frame, from 0 on."""


def _read(data: bytes, options: DicomOptions, max_pixels: int) -> _Read:
    data_set = read_data_set(data)
    header = read_header(data_set, any_modality=options.any_modality)
    check_size(header.columns, header.rows, max_pixels=max_pixels)
    index = _chosen_frame(options, header) - 1
    frame = read_frame(data_set, header, index)
    return _Read(frame.values, data_set, replace(header, bits_stored=frame.bits), index)


def _describe(read: _Read, rendering: Rendering) -> DicomDescription:
    header = read.header
    return DicomDescription(
        header.modality,
        header.view,
        read.frame_index + 1,
        header.frames,
        rendering.window,
        rendering.hounsfield,
    )


@contextmanager
def damage_reported() -> Iterator[None]:
    """Turn what pydicom raises into a ``DamagedImageError``."""
    try:
        yield
    except DATA_SET_ERRORS as error:
        raise DamagedImageError("the dicom file cannot be read") from error


def _chosen_frame(options: DicomOptions, header: DicomHeader) -> int:
    if options.frame is None:
        return header.frames // 2 + 1
    if not 1 <= options.frame <= header.frames:
        raise NoSuchFrameError(
            f"the dicom file's frames are 1 to {header.frames}; {options.frame} is none of them"
        )
    return options.frame
