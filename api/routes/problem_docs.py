"""How a route's errors stand in the OpenAPI document."""

from http import HTTPStatus
from typing import Any, Final

from api.http.problems import PROBLEM_MEDIA_TYPE
from api.schemas.problem import Problem

ACCESS_PROBLEMS: Final = {
    HTTPStatus.BAD_REQUEST: "No Host header, several, or one that is not allowed.",
    HTTPStatus.UNAUTHORIZED: "No API key, or none that is accepted.",
    HTTPStatus.FORBIDDEN: "A browser sent it for a page of another site.",
    HTTPStatus.TOO_MANY_REQUESTS: "More than the rate limit; see Retry-After.",
}
"""Of every route but those for health."""


def problem_responses(descriptions: dict[HTTPStatus, str]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: each status is a problem, with what it means here."""
    return {
        status.value: {
            "description": description,
            "content": {
                PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
            },
        }
        for status, description in descriptions.items()
    }
