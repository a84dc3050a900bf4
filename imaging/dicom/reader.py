"""Reads a DICOM file to the pixels that preprocessing takes."""

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
    """A frame as uint8 ``[height, width, 3]`` RGB, and its description."""

    pixels: NDArray[np.uint8]
    description: DicomDescription


@dataclass(frozen=True)
class DicomValues:
    """A frame before windowing, float32 ``[height, width]``, and its description."""

    values: NDArray[np.float32]
    description: DicomDescription
    inverted: bool
    """Whether the lowest value is white."""


def read_dicom(data: bytes, *, options: DicomOptions, max_pixels: int) -> DicomImage:
    """Read one frame of a CT or a radiograph.

    Raises:
        WrongModalityError: the file is neither.
        NoPixelsError: the file has no image.
        UnsupportedTransferSyntaxError: the encoding of the pixels is not supported.
        UnsupportedPixelsError: the pixels have colours, or another number of bits.
        NoSuchFrameError: the requested frame does not exist.
        TooManyPixelsError: a frame has more than ``max_pixels``, or a side longer than
            ``MAX_SIDE``; nothing was decoded.
        DamagedImageError: the file is truncated, corrupt, or in too many pieces.
    """
    with damage_reported():
        grey, description = _grey(data, options, max_pixels)
    pixels = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)
    return DicomImage(pixels, description)


def _grey(
    data: bytes, options: DicomOptions, max_pixels: int
) -> tuple[NDArray[np.uint8], DicomDescription]:
    """A frame in grey. Its sources are freed on return, before the RGB picture is created."""
    read = _read(data, options, max_pixels)
    rendering = render(*read, options.window)
    return rendering.grey(), _describe(read, rendering)


def read_values(data: bytes, *, options: DicomOptions, max_pixels: int) -> DicomValues:
    """Read one frame of a CT or a radiograph for a viewer that applies its own window.

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
    """A frame's values and their source."""

    stored: NDArray[np.integer[Any]]
    data_set: FileDataset
    header: DicomHeader
    frame_index: int
    """Starting at 0."""


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
    """Turn pydicom's exceptions into ``DamagedImageError``."""
    try:
        yield
    except DATA_SET_ERRORS as error:
        raise DamagedImageError("the DICOM file cannot be read") from error


def _chosen_frame(options: DicomOptions, header: DicomHeader) -> int:
    if options.frame is None:
        return header.frames // 2 + 1
    if not 1 <= options.frame <= header.frames:
        raise NoSuchFrameError(
            f"the DICOM file's frames are 1 to {header.frames}; there is no frame {options.frame}"
        )
    return options.frame
