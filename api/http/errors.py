"""What can go wrong with a request: an exception for each kind, with its status and its words."""

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar, Final

from starlette.exceptions import HTTPException

from api.prediction.model_training import TrainingProgress
from api.schemas.problem import RefusalReason

RETRY_AFTER_SECONDS: Final = 1
_MAX_RETRY_SECONDS: Final = 60


class ProblemError(HTTPException):
    """The base of all errors that are answered to a client.

    Args:
        detail: what went wrong and what to change.
        headers: further headers of the answer.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    kind: ClassVar[str] = "internal-error"
    """Stable and machine-readable; the last part of the problem's ``type``."""
    title: ClassVar[str] = "Internal error"
    reasons: Sequence[RefusalReason] = ()
    """Why an image that can be read is refused."""

    def __init__(self, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(self.status, detail, headers)


class MissingFileError(ProblemError):
    """No file was sent, or an empty one."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "missing-file"
    title = "No file"


class UnknownFormatError(ProblemError):
    """The content is none of the formats that are read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    kind = "unknown-format"
    title = "Unknown image format"


class DamagedFileError(ProblemError):
    """The file is truncated or corrupt."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "damaged-image"
    title = "Damaged image"


class SeveralImagesInFileError(ProblemError):
    """The file is an animation or has several pages."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "several-images"
    title = "Several images"


class WrongModalityProblemError(ProblemError):
    """A DICOM file is neither a CT nor a radiograph."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "wrong-modality"
    title = "Wrong modality"
    reasons = (RefusalReason.WRONG_MODALITY,)


class NoImageInFileError(ProblemError):
    """A DICOM file has no image."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "no-pixels"
    title = "No image in the file"


class TransferSyntaxProblemError(ProblemError):
    """A DICOM file is encoded in a way that is not read."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "unsupported-transfer-syntax"
    title = "Unsupported transfer syntax"


class PixelsProblemError(ProblemError):
    """A DICOM file has colours, or numbers of another size than what is read."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "unsupported-pixels"
    title = "Unsupported pixels"


class FrameProblemError(ProblemError):
    """A DICOM file has fewer frames than the one that is asked for."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "no-such-frame"
    title = "No such frame"


class RefusedImageError(ProblemError):
    """The image can be read, and is no chest scan that the models could say anything about.

    Args:
        reasons: at least one.
    """

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "refused-image"
    title = "Refused image"

    def __init__(self, reasons: Sequence[RefusalReason]) -> None:
        said = ", and ".join(_REFUSALS[reason] for reason in reasons)
        super().__init__(
            f"{said}; send a chest CT or X-ray, or ask with ?force=true for a prediction all the"
            " same"
        )
        self.reasons = reasons


_REFUSALS: Final = {
    RefusalReason.NOT_CHEST: "the image is unlike the chest images that the models learned from",
    RefusalReason.COLOUR_PHOTO: "the image is a colour picture, and chest images are grey",
    RefusalReason.TOO_SMALL: "the image has fewer pixels on a side than models need",
    RefusalReason.BLANK: "the image shows next to nothing: it is nearly one grey level",
    RefusalReason.ANNOTATED: "coloured marks are drawn on the image, which models would read as"
    " part of the chest",
    RefusalReason.WRONG_MODALITY: "the dicom file is neither a CT nor a radiograph",
}


class UploadTooLargeError(ProblemError):
    """More bytes, pixels or files than the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    kind = "too-large"
    title = "Too large"


class InvalidRequestError(ProblemError):
    """The request does not fit the API."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "invalid-request"
    title = "Invalid request"


class InvalidFormError(ProblemError):
    """The form cannot be read."""

    status = HTTPStatus.BAD_REQUEST
    kind = "invalid-form"
    title = "Invalid form"


class AuthenticationError(ProblemError):
    """No key is shown, or none that is accepted."""

    status = HTTPStatus.UNAUTHORIZED
    kind = "unauthorized"
    title = "API key required"

    def __init__(self) -> None:
        # It lets a browser ask for the key and send it with everything that the page loads.
        super().__init__(
            "send an API key that is accepted, as 'Authorization: Bearer KEY' or 'X-API-Key: KEY';"
            " in a browser it is the password",
            {"WWW-Authenticate": 'Basic realm="covidscan"'},
        )


class CrossSiteError(ProblemError):
    """A browser sends a request, with the password it has stored, for a page of another site."""

    status = HTTPStatus.FORBIDDEN
    kind = "cross-site"
    title = "Cross-site request"

    def __init__(self) -> None:
        super().__init__("a page of another site may not use the key that a browser has stored")


class TooManyRequestsError(ProblemError):
    """More requests or images than a rate limit allows.

    Args:
        limit: the limit, for people.
        retry_after_seconds: when to try again.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS
    kind = "too-many-requests"
    title = "Too many requests"

    def __init__(self, limit: str, retry_after_seconds: int) -> None:
        super().__init__(
            f"more than {limit}; try again in {retry_after_seconds} s",
            {"Retry-After": str(retry_after_seconds)},
        )


class SlowBodyError(ProblemError):
    """The body came too slowly."""

    status = HTTPStatus.REQUEST_TIMEOUT
    kind = "too-slow"
    title = "Too slow"

    def __init__(self) -> None:
        super().__init__("the body came too slowly; send it again", {"Connection": "close"})


class ModelsUnavailableError(ProblemError):
    """Too few models could be reached to answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    kind = "models-unavailable"
    title = "Models unavailable"

    def __init__(self, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail, {"Retry-After": str(RETRY_AFTER_SECONDS), **(headers or {})})


class ModelsInTrainingError(ModelsUnavailableError):
    """Too few models can answer yet, because they are still being trained."""

    kind = "models-in-training"
    title = "Models in training"

    def __init__(self, progress: TrainingProgress) -> None:
        seconds = math.ceil(progress.next_model_seconds)
        retry_after_seconds = min(max(seconds, RETRY_AFTER_SECONDS), _MAX_RETRY_SECONDS)
        super().__init__(
            f"the demo models are still being trained ({100 * progress.share:.0f} % done, about"
            f" {progress.remaining_seconds:.0f} s left); the first of them answers as soon as it is"
            " published; try again",
            {"Retry-After": str(retry_after_seconds)},
        )


class OverloadedError(ModelsUnavailableError):
    """More requests than are worked on or may wait."""

    kind = "overloaded"
    title = "Overloaded"


class AuditUnavailableError(ModelsUnavailableError):
    """An answer could not be recorded, so it is not given."""

    kind = "audit-unavailable"
    title = "Audit unavailable"


class ClientDisconnectedError(ProblemError):
    """The client closed its connection; this answer is for the log alone."""

    status = HTTPStatus.BAD_REQUEST
    kind = "client-disconnected"
    title = "Client gone"


class ModelsLateError(ModelsUnavailableError):
    """No model answered within its deadline."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    kind = "models-late"
    title = "Models too late"
