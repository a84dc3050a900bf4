"""Why the bytes of an image cannot be read.

::

    ImageError
    ├── UnknownImageFormatError      not a format that we read
    ├── DamagedImageError            the format is known, the content is not readable
    ├── SeveralImagesError           an animation, or several pages
    ├── TooManyPixelsError           refused from its header, before decoding
    ├── TooMuchMemoryError           would take more memory to decode than there is
    └── UnreadableDicomError         DICOM, but not what is read
        ├── WrongModalityError           neither a CT nor a radiograph
        ├── NoPixelsError                a header alone
        ├── UnsupportedTransferSyntaxError  encoded in a way that is not read
        ├── UnsupportedPixelsError       colours, or numbers of another size
        └── NoSuchFrameError             fewer frames than the one asked for
"""

from typing import ClassVar


class ImageError(Exception):
    """The bytes are not an image that can be read."""

    kind: ClassVar[str] = "damaged-image"
    """Stable and machine-readable."""


class UnknownImageFormatError(ImageError):
    """The content is none of the supported image formats."""

    kind = "unknown-format"


class DamagedImageError(ImageError):
    """The format is recognised, but the image cannot be decoded whole."""

    kind = "damaged-image"


class SeveralImagesError(ImageError):
    """The file holds more than one image, and none of them is the one that is meant."""

    kind = "several-images"


class TooManyPixelsError(ImageError):
    """The header announces more pixels than the limit, in all or on one side."""

    kind = "too-large"


class TooMuchMemoryError(ImageError):
    """To decode the image would take more memory than the limit."""

    kind = "too-large"


class UnreadableDicomError(ImageError):
    """The base of what is wrong with DICOM files that may be whole and are not read."""


class WrongModalityError(UnreadableDicomError):
    """The file is neither a CT nor a radiograph."""

    kind = "wrong-modality"


class NoPixelsError(UnreadableDicomError):
    """The file has no image."""

    kind = "no-pixels"


class UnsupportedTransferSyntaxError(UnreadableDicomError):
    """The pixels are encoded in a way that is not read."""

    kind = "unsupported-transfer-syntax"


class UnsupportedPixelsError(UnreadableDicomError):
    """The pixels are not grey, or not numbers of 8 or 16 bits."""

    kind = "unsupported-pixels"


class NoSuchFrameError(UnreadableDicomError):
    """The file has fewer frames than the one that is asked for."""

    kind = "no-such-frame"
