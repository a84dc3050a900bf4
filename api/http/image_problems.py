"""What a client is told about an image that cannot be read: a problem for each kind of error."""

from typing import Final

from api.http.errors import (
    DamagedFileError,
    FrameProblemError,
    NoImageInFileError,
    PixelsProblemError,
    ProblemError,
    SeveralImagesInFileError,
    TransferSyntaxProblemError,
    UnknownFormatError,
    UploadTooLargeError,
    WrongModalityProblemError,
)
from imaging.errors import (
    DamagedImageError,
    ImageError,
    NoPixelsError,
    NoSuchFrameError,
    SeveralImagesError,
    TooManyPixelsError,
    TooMuchMemoryError,
    UnknownImageFormatError,
    UnsupportedPixelsError,
    UnsupportedTransferSyntaxError,
    WrongModalityError,
)

_IMAGE_PROBLEMS: Final[dict[type[ImageError], tuple[type[ProblemError], str]]] = {
    UnknownImageFormatError: (
        UnknownFormatError,
        "send a PNG, JPEG, BMP, TIFF or WebP image, or a DICOM file",
    ),
    TooManyPixelsError: (UploadTooLargeError, "send a smaller image"),
    TooMuchMemoryError: (UploadTooLargeError, "send a smaller image, or one in another format"),
    SeveralImagesError: (SeveralImagesInFileError, "send one image a file"),
    DamagedImageError: (DamagedFileError, "send the whole, undamaged file"),
    WrongModalityError: (
        WrongModalityProblemError,
        "send a chest CT (CT) or X-ray (CR, DX), or ask with ?force=true all the same",
    ),
    NoPixelsError: (NoImageInFileError, "send the file with its pixels"),
    UnsupportedTransferSyntaxError: (
        TransferSyntaxProblemError,
        "send it uncompressed, in Explicit VR Little Endian",
    ),
    UnsupportedPixelsError: (PixelsProblemError, "send grey pixels of 8 or 16 bits"),
    NoSuchFrameError: (FrameProblemError, "choose another"),
}


def image_problem(error: ImageError) -> ProblemError:
    """What a client is told about an image that cannot be read."""
    problem, advice = _IMAGE_PROBLEMS[type(error)]
    return problem(f"{error}; {advice}")
