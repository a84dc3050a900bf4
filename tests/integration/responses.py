"""Posts files to ``/predict``, and checks the problems in responses."""

import httpx

from api.schemas.problem import Problem


def post_file(client: httpx.Client, data: bytes, filename: str = "slice.png") -> httpx.Response:
    return client.post("/predict", files={"file": (filename, data)})


def assert_problem(response: httpx.Response, status: int, kind: str) -> Problem:
    """Assert that the response is this problem in the format of RFC 9457; return the problem."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = Problem.model_validate_json(response.text)
    assert body.status == status
    assert body.type == f"urn:covidscan:problem:{kind}"
    assert body.instance == response.request.url.path
    assert body.request_id == response.headers["x-request-id"]
    return body
