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


class ImageError(Exception):
    """The bytes are not an image that can be read."""


class UnknownImageFormatError(ImageError):
    """The content is none of the supported image formats."""


class DamagedImageError(ImageError):
    """The format is recognised, but the image cannot be decoded whole."""


class SeveralImagesError(ImageError):
    """The file holds more than one image, and none of them is the one that is meant."""


class TooManyPixelsError(ImageError):
    """The header announces more pixels than the limit, in all or on one side."""


class TooMuchMemoryError(ImageError):
    """To decode the image would take more memory than the limit."""


class UnreadableDicomError(ImageError):
    """The base of what is wrong with DICOM files that may be whole and are not read."""


class WrongModalityError(UnreadableDicomError):
    """The file is neither a CT nor a radiograph."""


class NoPixelsError(UnreadableDicomError):
    """The file has no image."""


class UnsupportedTransferSyntaxError(UnreadableDicomError):
    """The pixels are encoded in a way that is not read."""


class UnsupportedPixelsError(UnreadableDicomError):
    """The pixels are not grey, or not numbers of 8 or 16 bits."""


class NoSuchFrameError(UnreadableDicomError):
    """The file has fewer frames than the one that is asked for."""
