"""Decodes the bytes of a file to 8-bit RGB."""

import zlib
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.dicom.description import DicomDescription, DicomOptions
from imaging.dicom.recognition import is_dicom
from imaging.errors import DamagedImageError
from imaging.formats.image_format import PILLOW_ERRORS
from imaging.formats.reading import read_header, recognise
from imaging.limits import DEFAULT_MAX_PIXELS, check_size

# The sender of a damaged upload gets a response; OpenCV's messages on stderr do not help.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True)
class DecodedImage:
    """An image's pixels, uint8 ``[height, width, 3]`` RGB, and its file format."""

    format: str
    pixels: NDArray[np.uint8]
    dicom: DicomDescription | None = None
    """The description of a DICOM file."""
    bits_used: int | None = None
    """The bits in use, for a PNG or TIFF file whose 16-bit samples use fewer bits and were scaled
    to the full range."""

    @property
    def width(self) -> int:
        """In pixels, after applying the EXIF orientation."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels, after applying the EXIF orientation."""
        return int(self.pixels.shape[0])


_ANY_DICOM: Final = DicomOptions()


def decode_image(
    data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, dicom: DicomOptions = _ANY_DICOM
) -> DecodedImage:
    """Decode a PNG, JPEG, BMP, TIFF or WebP file with one image, or a DICOM file, to 8-bit RGB.

    Grey becomes three equal channels, CMYK and palettes become RGB, alpha is dropped, 16-bit
    samples are reduced to the upper 8 of the bits in use, and the EXIF orientation is applied.
    Colour profiles and bytes after the image are ignored. For DICOM, one frame is rendered with its
    window. ``docs/images.md`` describes how each unusual kind of image is handled.

    Args:
        data: the file.
        max_pixels: the largest image, width times height.
        dicom: options for a DICOM file.

    Raises:
        UnknownImageFormatError: the content has none of these formats, or is an ambiguous kind of
            TIFF or BMP.
        SeveralImagesError: an animation, or a TIFF file of several pages.
        UnreadableDicomError: a DICOM file is not supported; see the subclasses.
        TooManyPixelsError: the header declares more than ``max_pixels``, or a side longer than
            ``MAX_SIDE``; nothing was decoded.
        DamagedImageError: the file is truncated or corrupt, or its metadata are far too large.
    """
    if is_dicom(data):
        # Imported only if needed: docs/decisions/0011.
        from imaging.dicom.reader import read_dicom  # noqa: PLC0415

        image = read_dicom(data, options=dicom, max_pixels=max_pixels)
        return DecodedImage("dicom", image.pixels, image.description)
    image_format = recognise(data)
    header = read_header(data, image_format)
    size = (header.width, header.height)
    check_size(*size, max_pixels=max_pixels)
    try:
        image_format.check_complete(data, header)
    except (*PILLOW_ERRORS, zlib.error, cv2.error) as error:
        raise DamagedImageError(f"the {header.format} file is truncated or corrupt") from error
    pixels = image_format.decode(data, header)
    # EXIF may swap the sides; any other difference means that two decoders read two images.
    if pixels.rgb.shape[:2] not in {size, size[::-1]}:
        raise DamagedImageError(f"the {header.format} file contradicts itself about its size")
    return DecodedImage(header.format, pixels.rgb, bits_used=pixels.bits_used)
