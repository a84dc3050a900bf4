"""Invalid requests are answered with problems in the format of RFC 9457."""

import cv2
import httpx
import numpy as np

from tests.integration.responses import assert_problem, post_file


def test_a_request_without_a_file_is_answered_422_with_the_field_to_send(
    tiny_service: httpx.Client,
):
    assert "'file'" in assert_problem(tiny_service.post("/predict"), 422, "missing-file").detail
    wrong_field = tiny_service.post("/predict", files={"image": b"x"})
    assert_problem(wrong_field, 422, "missing-file")


def test_an_empty_file_is_answered_422(tiny_service: httpx.Client):
    assert_problem(post_file(tiny_service, b""), 422, "missing-file")


def test_a_file_that_is_not_an_image_is_answered_415(tiny_service: httpx.Client):
    assert_problem(post_file(tiny_service, b"%PDF-1.7 hello"), 415, "unknown-format")


def test_a_truncated_image_is_answered_422(tiny_service: httpx.Client, phantom_png: bytes):
    assert_problem(post_file(tiny_service, phantom_png[:-100]), 422, "damaged-image")


def test_a_file_with_several_images_is_answered_422(tiny_service: httpx.Client):
    pages = cv2.imencodemulti(".tiff", [np.zeros((48, 64, 3), np.uint8)] * 2)[1].tobytes()
    answer = assert_problem(post_file(tiny_service, pages), 422, "several-images")
    assert answer.detail.endswith("send one image per file")


def test_an_unknown_path_is_answered_404_and_a_wrong_method_405(tiny_service: httpx.Client):
    assert_problem(tiny_service.get("/nope"), 404, "not-found")
    assert_problem(tiny_service.get("/predict"), 405, "method-not-allowed")


def test_problems_do_not_quote_the_content_or_name_of_the_file(tiny_service: httpx.Client):
    marker = "Muster^Maria"
    responses = [
        post_file(tiny_service, marker.encode(), f"{marker}.png"),
        tiny_service.post("/predict", data={"file": marker}),
    ]
    for response in responses:
        assert response.status_code in (415, 422)
        assert marker not in response.text


def test_readyz_rejects_unknown_parameters_and_values(tiny_service: httpx.Client):
    assert_problem(tiny_service.get("/readyz?strict=maybe"), 422, "invalid-request")
    assert_problem(tiny_service.get("/readyz?stict=true"), 422, "invalid-request")
