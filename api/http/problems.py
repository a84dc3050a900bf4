"""Turns every error into RFC 9457 problem+json."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from api.http.allowed_methods import with_allowed_methods
from api.http.errors import InvalidFormError, RequestError
from api.http.problem_table import ANSWERED, TEMPORARY, problem_kind
from api.http.validation_problems import validation_problem
from api.prediction.errors import rejection_reasons
from api.schemas.problem import Problem

logger = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"

INTERNAL_ERROR_KIND: Final = "internal-error"
_INTERNAL_ERROR_DETAIL: Final = "an error in the service; nothing was stored"
"""The message of an unexpected exception is not sent, because it may contain anything."""


def to_problem(error: Exception, instance: str, request_id: str) -> Problem:
    """Build the response body for an exception.

    Args:
        error: one of ``ANSWERED``, an ``HTTPException`` of the framework, or any other, which
            becomes an internal error without its message.
        instance: the path of the request.
        request_id: of the request.
    """
    if isinstance(error, HTTPException):
        return _framework_problem(error, instance, request_id)
    row = problem_kind(error)
    kind, detail = INTERNAL_ERROR_KIND, _INTERNAL_ERROR_DETAIL
    if isinstance(error, ANSWERED):
        kind = error.kind
        detail = f"{error}; {row.advice}" if row.advice else str(error)
    return Problem(
        type=problem_type(kind),
        title=row.title,
        status=row.status,
        detail=detail,
        instance=instance,
        request_id=request_id,
        reasons=list(rejection_reasons(error)),
    )


def problem_headers(error: Exception) -> Mapping[str, str]:
    """The headers that belong to an exception, such as ``Retry-After``."""
    headers = error.headers if isinstance(error, (RequestError, HTTPException)) else None
    if isinstance(error, TEMPORARY):
        return {**(headers or {}), "Retry-After": str(error.retry_after_seconds)}
    return headers or {}


def problem_response(error: Exception, scope: Scope) -> JSONResponse:
    """The response for an exception. Its type is kept in the scope's state for the log."""
    problem = to_problem(error, scope["path"], scope["state"]["request_id"])
    scope["state"]["problem"] = problem.type
    return JSONResponse(
        problem.model_dump(),
        problem.status,
        headers=dict(problem_headers(error)),
        media_type=PROBLEM_MEDIA_TYPE,
    )


def install_error_handlers(app: FastAPI) -> None:
    """Answer exceptions with problems, including those of the framework."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        return problem_response(error, request.scope)

    for kind in ANSWERED:
        app.add_exception_handler(kind, answer)

    @app.exception_handler(HTTPException)
    async def answer_http_exception(request: Request, error: HTTPException) -> JSONResponse:
        # FastAPI wraps any exception raised while a body is read into its own 400.
        cause = error.__cause__
        if isinstance(cause, Exception):
            if not isinstance(cause, ANSWERED):
                logger.error("unhandled exception while a form was read", exc_info=cause)
            return problem_response(cause, request.scope)
        return problem_response(with_allowed_methods(error, request), request.scope)

    @app.exception_handler(RequestValidationError)
    async def answer_validation_error(
        request: Request, error: RequestValidationError
    ) -> JSONResponse:
        return problem_response(validation_problem(error.errors()), request.scope)


def _framework_problem(error: HTTPException, instance: str, request_id: str) -> Problem:
    title = HTTPStatus(error.status_code).phrase
    kind = title.lower().replace(" ", "-")
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # Raised by Starlette for a form that is malformed or has too many parts.
        kind, title = InvalidFormError.kind, problem_kind(InvalidFormError("")).title
    return Problem(
        type=problem_type(kind),
        title=title,
        status=error.status_code,
        detail=str(error.detail),
        instance=instance,
        request_id=request_id,
        reasons=[],
    )


def problem_type(kind: str) -> str:
    """The ``type`` of a problem."""
    return f"urn:covidscan:problem:{kind}"
