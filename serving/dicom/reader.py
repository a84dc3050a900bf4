"""A DICOM file, to the pixels that the preprocess takes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.dicom.data_set import DATA_SET_ERRORS, read_data_set
from serving.dicom.description import DicomDescription, DicomOptions
from serving.dicom.frame import read_frame
from serving.dicom.header import DicomHeader, read_header
from serving.dicom.rendering import render
from serving.errors import DamagedImageError, NoSuchFrameError
from serving.image_limits import check_size


@dataclass(frozen=True)
class DicomImage:
    """A frame as uint8 ``[height, width, 3]`` RGB, and what it is."""

    pixels: NDArray[np.uint8]
    description: DicomDescription


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
    try:
        data_set = read_data_set(data)
        header = read_header(data_set, any_modality=options.any_modality)
        check_size(header.columns, header.rows, max_pixels=max_pixels)
        frame = _chosen_frame(options, header)
        stored = read_frame(data_set, header, frame - 1)
        grey, window = render(stored, data_set, header, frame - 1, options.window)
    except DATA_SET_ERRORS as error:
        raise DamagedImageError("the dicom file cannot be read") from error
    description = DicomDescription(header.modality, header.view, frame, header.frames, window)
    return DicomImage(np.repeat(grey[..., None], 3, axis=2), description)


def _chosen_frame(options: DicomOptions, header: DicomHeader) -> int:
    if options.frame is None:
        return header.frames // 2 + 1
    if not 1 <= options.frame <= header.frames:
        raise NoSuchFrameError(
            f"the dicom file's frames are 1 to {header.frames}; {options.frame} is none of them"
        )
    return options.frame
