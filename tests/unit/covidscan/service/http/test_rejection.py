"""Connections without a request are rejected in the same words as requests."""

import json

import pytest

from api.fair_sharing.errors import OverloadedError
from api.http.errors import SlowBodyError, UploadTooLargeError
from api.http.problems import to_problem
from covidscan.service.http.rejection import (
    NOT_HTTP,
    TOO_MANY_CONNECTIONS,
    TOO_SLOW,
    Rejection,
    head_too_large,
)

HEAD_TOO_LARGE = head_too_large("100 headers").rejection


def body_of(rejection: Rejection) -> dict[str, object]:
    body: dict[str, object] = json.loads(rejection.answer().partition(b"\r\n\r\n")[2])
    return body


@pytest.mark.parametrize(
    ("rejection", "error"),
    [
        (TOO_SLOW, SlowBodyError()),
        (TOO_MANY_CONNECTIONS, OverloadedError()),
        (HEAD_TOO_LARGE, UploadTooLargeError("")),
    ],
)
def test_type_and_title_are_those_of_a_rejected_request(rejection: Rejection, error: Exception):
    problem, body = to_problem(error, "/", ""), body_of(rejection)
    assert (body["type"], body["title"]) == (problem.type, problem.title)


@pytest.mark.parametrize("rejection", [NOT_HTTP, TOO_SLOW, TOO_MANY_CONNECTIONS, HEAD_TOO_LARGE])
def test_without_a_request_the_problem_has_four_fields(rejection: Rejection):
    body = body_of(rejection)
    assert body.keys() == {"type", "title", "status", "detail"}
    detail = str(body["detail"])
    assert detail[0].islower()
    assert not detail.endswith("."), "a phrase, like every other detail"
