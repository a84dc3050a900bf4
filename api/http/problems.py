"""Problems: every error that a client sees is RFC 9457 problem+json, made in this one place."""

from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from api.http.allowed_methods import with_allowed_methods
from api.http.errors import InvalidFormError, ProblemError
from api.http.validation_problems import validation_problem
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
        return problem_response(with_allowed_methods(error, request), request.scope)

    @app.exception_handler(RequestValidationError)
    async def answer_validation_error(
        request: Request, error: RequestValidationError
    ) -> JSONResponse:
        return problem_response(validation_problem(error.errors()), request.scope)
