"""Problems: every error that a client sees is RFC 9457 problem+json, made in this one place."""

import logging
from http import HTTPStatus
from typing import ClassVar, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.schemas import Problem
from serving.errors import (
    DamagedImageError,
    ImageError,
    TooManyPixelsError,
    UnknownImageFormatError,
)

logger = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1


class ProblemError(HTTPException):
    """The base of all errors that are answered to a client.

    Args:
        detail: what went wrong and what to change.
        headers: further headers of the answer.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    kind: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(self.status, detail, headers)

    @property
    def type(self) -> str:
        """The stable, machine-readable name of this kind of problem."""
        return _type_uri(self.kind)


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


class ModelsUnavailableError(ProblemError):
    """Too few models could be reached to answer."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    kind = "models-unavailable"
    title = "Models unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})


class OverloadedError(ModelsUnavailableError):
    """More requests than are worked on or may wait."""

    kind = "overloaded"
    title = "Overloaded"


class ClientGoneError(ProblemError):
    """The client closed its connection; this answer is for the log alone."""

    status = HTTPStatus.BAD_REQUEST
    kind = "client-gone"
    title = "Client gone"


class ModelsLateError(ModelsUnavailableError):
    """No model answered within its deadline."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    kind = "models-late"
    title = "Models too late"


_IMAGE_PROBLEMS: Final[dict[type[ImageError], tuple[type[ProblemError], str]]] = {
    UnknownImageFormatError: (UnknownFormatError, "send a PNG, JPEG, BMP, TIFF or WebP image"),
    TooManyPixelsError: (UploadTooLargeError, "send a smaller image"),
    DamagedImageError: (DamagedFileError, "send the whole, undamaged file"),
}


def image_problem(error: ImageError) -> ProblemError:
    """What a client is told about an image that cannot be read."""
    problem, advice = _IMAGE_PROBLEMS[type(error)]
    return problem(f"{error}; {advice}")


def to_problem(error: HTTPException, instance: str, request_id: str) -> Problem:
    """The body that answers an error."""
    if isinstance(error, ProblemError):
        problem_type, title = error.type, error.title
    else:
        title = HTTPStatus(error.status_code).phrase
        problem_type = _type_uri(title.lower().replace(" ", "-"))
    return Problem(
        type=problem_type,
        title=title,
        status=error.status_code,
        detail=str(error.detail),
        instance=instance,
        request_id=request_id,
    )


def install_error_handlers(app: FastAPI) -> None:
    """Answer every exception of the app as a problem."""

    @app.exception_handler(HTTPException)
    async def answer_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        problem = to_problem(error, request.url.path, request.state.request_id)
        return JSONResponse(
            problem.model_dump(),
            error.status_code,
            headers=dict(error.headers or {}),
            media_type=PROBLEM_MEDIA_TYPE,
        )

    @app.exception_handler(RequestValidationError)
    async def answer_validation_error(
        request: Request, error: RequestValidationError
    ) -> JSONResponse:
        return await answer_http_exception(request, _validation_problem(error))

    @app.exception_handler(Exception)
    async def answer_unexpected(request: Request, _: Exception) -> JSONResponse:
        # Starlette raises the exception again for the server's log; the client learns nothing.
        return await answer_http_exception(
            request, ProblemError("an error on our side; nothing was stored")
        )


def _validation_problem(error: RequestValidationError) -> ProblemError:
    # Only where and why: the rejected input itself may be patient data.
    faults = [(".".join(str(part) for part in fault["loc"]), fault) for fault in error.errors()]
    for where, fault in faults:
        if fault["loc"][0] == "body" and fault["type"] == "missing":
            name = where.removeprefix("body.")
            return MissingFileError(f"send the image as multipart/form-data in the field {name!r}")
    return InvalidRequestError("; ".join(f"{where}: {fault['msg']}" for where, fault in faults))


def _type_uri(kind: str) -> str:
    return f"urn:covidscan:problem:{kind}"
