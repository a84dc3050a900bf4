"""Every exception of the shared layer.

::

    ServingError
    ├── ImageError
    │   ├── UnknownImageFormatError      not a format that we read
    │   ├── DamagedImageError            the format is known, the content is not readable
    │   ├── SeveralImagesError           an animation, or several pages
    │   ├── TooManyPixelsError           refused from its header, before decoding
    │   ├── TooMuchMemoryError           would take more memory to decode than there is
    │   └── UnreadableDicomError         DICOM, but not what is read
    │       ├── WrongModalityError           neither a CT nor a radiograph
    │       ├── NoPixelsError                a header alone
    │       ├── UnsupportedTransferSyntaxError  encoded in a way that is not read
    │       ├── UnsupportedPixelsError       colours, or numbers of another size
    │       └── NoSuchFrameError             fewer frames than the one asked for
    ├── VolumeError                      the versioned volume cannot be read or written as asked
    ├── ModelConfigError                 models.config does not say what it must
    ├── BatchingParametersError          a batching parameters file does not say what it must
    ├── TlsConfigError                   keys or certificates are not what TLS needs
    └── ModelServerError                 a call to the model server failed
        ├── ModelNotFoundError           no such servable or version
        ├── ModelServerUnavailableError  unreachable, overloaded or going away
        │   └── ModelServerExhaustedError    it is there and refuses more work
        ├── ModelDeadlineError           no answer within the deadline
        └── InvalidAnswerError           the answer breaks the contract
"""


class ServingError(Exception):
    """The base of all exceptions of ``serving``."""


class ImageError(ServingError):
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


class VolumeError(ServingError):
    """The versioned volume cannot be read or written as asked."""


class ModelConfigError(ServingError):
    """A models.config file is malformed or names what cannot be served."""


class BatchingParametersError(ServingError):
    """A batching parameters file is malformed or its values do not fit together."""


class TlsConfigError(ServingError):
    """Keys or certificates cannot be read or are not what TLS needs."""


class ModelServerError(ServingError):
    """A call to the model server failed; the message is the server's own where there is one."""


class ModelNotFoundError(ModelServerError):
    """The model server has no such servable or version."""


class ModelServerUnavailableError(ModelServerError):
    """The model server cannot be reached, or refuses work for the moment."""


class ModelServerExhaustedError(ModelServerUnavailableError):
    """The model server is there and refuses more work: asking again would make it worse."""


class ModelDeadlineError(ModelServerError):
    """The model server did not answer within the deadline."""


class InvalidAnswerError(ModelServerError):
    """The model server's answer breaks the contract."""
