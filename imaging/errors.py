"""Errors of reading an image.

::

    ImageError
    ├── UnknownImageFormatError      not a supported format
    │   └── UnsupportedVariantError      a known format, but a variant that is not supported
    ├── DamagedImageError            the format is known, but the content cannot be decoded
    │   └── UndecodableImageError        perhaps intact, but unusual, slow, or a decoder's crash
    ├── SeveralImagesError           an animation, or several pages
    ├── TooManyPixelsError           rejected by its header, before decoding
    ├── TooMuchMemoryError           decoding would need more memory than the limit
    └── UnreadableDicomError         DICOM, but not supported
        ├── WrongModalityError           neither a CT nor a radiograph
        ├── NoPixelsError                a header without pixels
        ├── UnsupportedTransferSyntaxError  an unsupported encoding
        ├── UnsupportedPixelsError       colours, or an unsupported number of bits
        └── NoSuchFrameError             the requested frame does not exist
"""

from typing import ClassVar


class ImageError(Exception):
    """The base of all errors of reading an image."""

    kind: ClassVar[str] = "damaged-image"
    """Stable and machine-readable."""


class UnknownImageFormatError(ImageError):
    """The content is not in a supported image format."""

    kind = "unknown-format"


class UnsupportedVariantError(UnknownImageFormatError):
    """The format is supported, but not this variant of it."""


class DamagedImageError(ImageError):
    """The format is known, but the image cannot be decoded completely."""

    kind = "damaged-image"


class UndecodableImageError(DamagedImageError):
    """The file may be intact, but decoding it exceeds a limit, takes too long, or crashes."""


class SeveralImagesError(ImageError):
    """The file has more than one image, and it is not clear which one is meant."""

    kind = "several-images"


class TooManyPixelsError(ImageError):
    """The header declares more pixels than the limit, in total or on one side."""

    kind = "too-large"


class TooMuchMemoryError(ImageError):
    """Decoding the image would need more memory than the limit."""

    kind = "too-large"


class UnreadableDicomError(ImageError):
    """The base of errors for DICOM files that may be intact but are not supported."""


class WrongModalityError(UnreadableDicomError):
    """The file is neither a CT nor a radiograph."""

    kind = "wrong-modality"


class NoPixelsError(UnreadableDicomError):
    """The file has no image."""

    kind = "no-pixels"


class UnsupportedTransferSyntaxError(UnreadableDicomError):
    """The encoding of the pixels is not supported."""

    kind = "unsupported-transfer-syntax"


class UnsupportedPixelsError(UnreadableDicomError):
    """The pixels are not greyscale, or do not have 8 or 16 bits."""

    kind = "unsupported-pixels"


class NoSuchFrameError(UnreadableDicomError):
    """The requested frame does not exist."""

    kind = "no-such-frame"
