"""Problems: every error that a client sees is RFC 9457 problem+json, made in this one place."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from api.errors import InvalidFormError, InvalidRequestError, MissingFileError, ProblemError
from api.schemas.problem import Problem

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"


def to_problem(error: HTTPException, instance: str, request_id: str) -> Problem:
    """The body that answers an error."""
    if isinstance(error, ProblemError):
        kind, title = error.kind, error.title
    elif error.status_code == InvalidFormError.status:
        # Starlette's, of a form that is malformed or has too many parts.
        kind, title = InvalidFormError.kind, InvalidFormError.title
    else:
        title = HTTPStatus(error.status_code).phrase
        kind = title.lower().replace(" ", "-")
    return Problem(
        type=f"urn:covidscan:problem:{kind}",
        title=title,
        status=error.status_code,
        detail=str(error.detail),
        instance=instance,
        request_id=request_id,
        reasons=list(error.reasons) if isinstance(error, ProblemError) else [],
    )


def problem_response(error: HTTPException, scope: Scope) -> JSONResponse:
    """The answer to an error; what kind it was is left in the scope's state for the log."""
    problem = to_problem(error, scope["path"], scope["state"]["request_id"])
    scope["state"]["problem"] = problem.type
    return JSONResponse(
        problem.model_dump(),
        error.status_code,
        headers=dict(error.headers or {}),
        media_type=PROBLEM_MEDIA_TYPE,
    )


def install_error_handlers(app: FastAPI) -> None:
    """Answer every exception that is meant for a client as a problem."""

    @app.exception_handler(HTTPException)
    async def answer_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(error, request.scope)

    @app.exception_handler(RequestValidationError)
    async def answer_validation_error(
        request: Request, error: RequestValidationError
    ) -> JSONResponse:
        return problem_response(_validation_problem(error), request.scope)


def _validation_problem(error: RequestValidationError) -> ProblemError:
    # Only where and why: the rejected input itself, the names of unknown fields too, may be
    # patient data.
    faults = error.errors()
    for fault in faults:
        if fault["loc"][0] == "body" and fault["type"] == "missing":
            name = _place(fault["loc"][1:])
            return MissingFileError(f"send the image as multipart/form-data in the field {name!r}")
    for fault in faults:
        if fault["type"] == "extra_forbidden":
            what = "query has a parameter" if fault["loc"][0] == "query" else "form has a field"
            return InvalidRequestError(f"the {what} that is not known; leave it out")
    return InvalidRequestError(
        "; ".join(f"{_place(each['loc'])}: {each['msg']}" for each in faults)
    )


def _place(location: Sequence[object]) -> str:
    return ".".join(str(part) for part in location)
