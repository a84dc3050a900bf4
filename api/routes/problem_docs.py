"""Documents the errors of routes in the OpenAPI document."""

from http import HTTPStatus
from typing import Any, Final

from api.http.problems import PROBLEM_MEDIA_TYPE
from api.schemas.problem import Problem

ACCESS_PROBLEMS: Final = {
    HTTPStatus.BAD_REQUEST: "There is no Host header, several, or one that is not allowed.",
    HTTPStatus.UNAUTHORIZED: "There is no API key, or it is not accepted.",
    HTTPStatus.FORBIDDEN: "A page of another site made a browser send the request.",
    HTTPStatus.TOO_MANY_REQUESTS: "The rate limit is exceeded; see Retry-After.",
}
"""For every route except the health checks."""


def problem_responses(descriptions: dict[HTTPStatus, str]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: a problem with a description for each status."""
    return {
        status.value: {
            "description": description,
            "content": {
                PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
            },
        }
        for status, description in descriptions.items()
    }
