"""The table that maps exceptions to HTTP statuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from api.fair_sharing.errors import OverloadedError
from api.http.errors import (
    AuthenticationError,
    ClientDisconnectedError,
    CrossSiteError,
    InvalidFormError,
    InvalidHostError,
    InvalidRequestError,
    MissingFileError,
    RequestError,
    SlowBodyError,
    StoppingError,
    TooManyRequestsError,
    TooManyUploadsError,
    UploadTooLargeError,
)
from api.observability.audit import AuditUnavailableError
from api.prediction.errors import (
    ModelsInTrainingError,
    ModelsTimeoutError,
    ModelsUnavailableError,
    PredictionError,
    RejectedImageError,
)
from imaging.errors import (
    DamagedImageError,
    ImageError,
    NoPixelsError,
    NoSuchFrameError,
    SeveralImagesError,
    TooManyPixelsError,
    TooMuchMemoryError,
    UndecodableImageError,
    UnknownImageFormatError,
    UnreadableDicomError,
    UnsupportedPixelsError,
    UnsupportedTransferSyntaxError,
    UnsupportedVariantError,
    WrongModalityError,
)


@dataclass(frozen=True)
class ProblemKind:
    """The status, title and advice for an exception."""

    status: HTTPStatus
    title: str
    advice: str = ""
    """What to change, if the exception's message does not say it."""


_UNPROCESSABLE: Final = HTTPStatus.UNPROCESSABLE_ENTITY
_UNAVAILABLE: Final = HTTPStatus.SERVICE_UNAVAILABLE
_TOO_LARGE: Final = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

INTERNAL_ERROR: Final = ProblemKind(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error")

PROBLEM_KINDS: Final[Mapping[type[Exception], ProblemKind]] = {
    # The request.
    RequestError: ProblemKind(HTTPStatus.BAD_REQUEST, "Bad request"),
    MissingFileError: ProblemKind(_UNPROCESSABLE, "No file"),
    UploadTooLargeError: ProblemKind(_TOO_LARGE, "Too large"),
    TooManyUploadsError: ProblemKind(_UNAVAILABLE, "Overloaded"),
    InvalidRequestError: ProblemKind(_UNPROCESSABLE, "Invalid request"),
    InvalidFormError: ProblemKind(HTTPStatus.BAD_REQUEST, "Invalid form"),
    InvalidHostError: ProblemKind(HTTPStatus.BAD_REQUEST, "Invalid host"),
    AuthenticationError: ProblemKind(HTTPStatus.UNAUTHORIZED, "API key required"),
    CrossSiteError: ProblemKind(HTTPStatus.FORBIDDEN, "Cross-site request"),
    TooManyRequestsError: ProblemKind(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests"),
    SlowBodyError: ProblemKind(HTTPStatus.REQUEST_TIMEOUT, "Too slow"),
    ClientDisconnectedError: ProblemKind(HTTPStatus.BAD_REQUEST, "Client disconnected"),
    StoppingError: ProblemKind(_UNAVAILABLE, "Stopping"),
    # The image.
    ImageError: ProblemKind(_UNPROCESSABLE, "Damaged image", "send another file"),
    UnknownImageFormatError: ProblemKind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Unknown image format",
        "send a PNG, JPEG, BMP, TIFF or WebP image, or a DICOM file",
    ),
    UnsupportedVariantError: ProblemKind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Unknown image format",
        "convert the image to a PNG of 8 or 16 bits",
    ),
    TooManyPixelsError: ProblemKind(_TOO_LARGE, "Too large", "send a smaller image"),
    TooMuchMemoryError: ProblemKind(
        _TOO_LARGE, "Too large", "send a smaller image, or one in another format"
    ),
    SeveralImagesError: ProblemKind(_UNPROCESSABLE, "Several images", "send one image per file"),
    DamagedImageError: ProblemKind(
        _UNPROCESSABLE, "Damaged image", "send the whole, undamaged file"
    ),
    UndecodableImageError: ProblemKind(
        _UNPROCESSABLE, "Damaged image", "export the image again, uncompressed or as a PNG"
    ),
    UnreadableDicomError: ProblemKind(_UNPROCESSABLE, "Damaged image", "send another file"),
    WrongModalityError: ProblemKind(
        _UNPROCESSABLE,
        "Wrong modality",
        "send a chest CT (CT) or X-ray (CR, DX, RG), or add ?force=true to predict anyway",
    ),
    NoPixelsError: ProblemKind(
        _UNPROCESSABLE, "No image in the file", "send the file with its pixels"
    ),
    UnsupportedTransferSyntaxError: ProblemKind(
        _UNPROCESSABLE,
        "Unsupported transfer syntax",
        "send the file uncompressed, in Explicit VR Little Endian",
    ),
    UnsupportedPixelsError: ProblemKind(
        _UNPROCESSABLE, "Unsupported pixels", "send greyscale pixels of 8 or 16 bits"
    ),
    NoSuchFrameError: ProblemKind(_UNPROCESSABLE, "No such frame", "choose another frame"),
    # The prediction.
    RejectedImageError: ProblemKind(
        _UNPROCESSABLE,
        "Rejected image",
        "send a chest CT or X-ray, or add ?force=true to predict anyway",
    ),
    PredictionError: ProblemKind(_UNAVAILABLE, "No prediction"),
    ModelsUnavailableError: ProblemKind(_UNAVAILABLE, "Models unavailable"),
    ModelsInTrainingError: ProblemKind(_UNAVAILABLE, "Models in training"),
    ModelsTimeoutError: ProblemKind(HTTPStatus.GATEWAY_TIMEOUT, "Models timed out"),
    OverloadedError: ProblemKind(_UNAVAILABLE, "Overloaded"),
    AuditUnavailableError: ProblemKind(_UNAVAILABLE, "Audit unavailable"),
}

ANSWERED: Final = (
    RequestError,
    ImageError,
    PredictionError,
    OverloadedError,
    AuditUnavailableError,
)
"""Exceptions whose messages are sent to the client. All others are internal errors."""

TEMPORARY: Final = (
    TooManyRequestsError,
    TooManyUploadsError,
    StoppingError,
    ModelsUnavailableError,
    OverloadedError,
    AuditUnavailableError,
)
"""Exceptions that say when to try again, in ``retry_after_seconds``."""


def problem_kind(error: Exception) -> ProblemKind:
    """The row for an exception, or for the nearest base class that has one."""
    rows = (PROBLEM_KINDS[each] for each in type(error).__mro__ if each in PROBLEM_KINDS)
    return next(rows, INTERNAL_ERROR)
