"""The one preprocess: what turns a file's bytes into a model's input, in training and in serving.

A change here changes every answer of every published model, so recorded values hold it to the bit
(``tests/unit/imaging/test_preprocess.py``, ``tests/unit/imaging/dicom/test_rendering.py``).
"""

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
from imaging.model_input import IMAGE_SIZE

# A damaged upload is answered to its sender; OpenCV's own report of it on stderr helps nobody.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True)
class DecodedImage:
    """An image's pixels, uint8 ``[height, width, 3]`` RGB, and the format they came in."""

    format: str
    pixels: NDArray[np.uint8]
    dicom: DicomDescription | None = None
    """What was read of a DICOM file."""
    bits_used: int | None = None
    """Of a PNG or TIFF of 16 bits a sample whose values fill fewer, and were brought to the full
    range: how many."""

    @property
    def width(self) -> int:
        """In pixels, after EXIF orientation."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels, after EXIF orientation."""
        return int(self.pixels.shape[0])


_ANY_DICOM: Final = DicomOptions()


def decode_image(
    data: bytes, *, max_pixels: int = DEFAULT_MAX_PIXELS, dicom: DicomOptions = _ANY_DICOM
) -> DecodedImage:
    """Decode a PNG, JPEG, BMP, TIFF or WebP file of one image, or a DICOM file, to 8-bit RGB.

    Grey becomes three equal channels, CMYK and palettes RGB, alpha is dropped, 16 bits are cut to
    8 of those that are used, EXIF orientation is applied; colour profiles and bytes behind the
    image are ignored. Of DICOM one frame is shown through its window. ``docs/images.md`` lists what
    is done with each unusual kind.

    Args:
        data: the file.
        max_pixels: width times height, at most.
        dicom: what is chosen of a DICOM file.

    Raises:
        UnknownImageFormatError: the content is none of these formats, or a kind of TIFF or BMP
            that would be read ambiguously.
        SeveralImagesError: an animation, or a TIFF file of several pages.
        UnreadableDicomError: a DICOM file without what is read: see its subclasses.
        TooManyPixelsError: the header announces more than ``max_pixels``, or a side longer than
            ``MAX_SIDE``; nothing was decoded.
        DamagedImageError: the file is truncated or corrupt, or its metadata are out of proportion.
    """
    if is_dicom(data):
        # Only where it is needed: docs/decisions/0011.
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
    # Turned or not: two decoders that read two sizes saw two images.
    if pixels.rgb.shape[:2] not in {size, size[::-1]}:
        raise DamagedImageError(f"the {header.format} file contradicts itself about its size")
    return DecodedImage(header.format, pixels.rgb, bits_used=pixels.bits_used)


def preprocess(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Bring an image to a model's input.

    Args:
        pixels: uint8 ``[height, width, 3]`` RGB.

    Returns:
        float32 ``[64, 64, 3]`` RGB, 0 to 1.
    """
    resized = cv2.resize(pixels, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA)
    scaled: NDArray[np.float32] = resized.astype(np.float32) / np.float32(255)
    return scaled
