"""Uploads over the limits of the settings are rejected."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from api.settings import Settings
from tests.integration.conftest import gateway
from tests.integration.responses import assert_problem, post_file


@pytest.fixture
def small_limits(tiny_volume: Path) -> Iterator[httpx.Client]:
    settings = Settings(
        _env_file=None,
        model_server="127.0.0.1:1",
        models_dir=tiny_volume,
        max_upload_bytes=10_000,
        max_pixels=10_000,
        max_batch_files=2,
        max_batch_bytes=20_000,
    )
    with gateway(settings) as client:
        yield client


def test_a_file_over_the_size_limit_is_answered_413(small_limits: httpx.Client):
    assert_problem(post_file(small_limits, b"x" * 10_001), 413, "too-large")


def test_a_body_over_the_size_limit_is_not_read_to_the_end(small_limits: httpx.Client):
    """The body has no Content-Length, so the gateway must count the bytes."""
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(1000):
            sent += 1_000_000
            yield b"x" * 1_000_000

    try:
        response = small_limits.post(
            "/predict", content=body(), headers={"content-type": "multipart/form-data; boundary=b"}
        )
    except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
        # The server closed the connection while the rest was still being sent.
        pass
    else:
        assert_problem(response, 413, "too-large")
    assert sent < 100_000_000


def test_an_image_over_the_pixel_limit_is_answered_413(small_limits: httpx.Client):
    bomb = cv2.imencode(".png", np.zeros((200, 200), np.uint8))[1].tobytes()
    assert_problem(post_file(small_limits, bomb), 413, "too-large")


def test_a_batch_with_too_many_files_is_answered_400(small_limits: httpx.Client):
    files = [("files", ("a", b"x"))] * 3
    assert_problem(small_limits.post("/predict/batch", files=files), 400, "invalid-form")


def test_a_second_file_for_a_single_prediction_is_answered_400(small_limits: httpx.Client):
    files = [("file", ("a", b"x"))] * 2
    assert_problem(small_limits.post("/predict", files=files), 400, "invalid-form")


def test_a_form_with_too_many_fields_is_answered_400(small_limits: httpx.Client):
    fields = {f"field-{number}": "x" for number in range(20)}
    file = {"file": ("a", b"x")}
    assert_problem(small_limits.post("/predict", data=fields, files=file), 400, "invalid-form")


@pytest.mark.parametrize(("characters", "status"), [(255, 415), (256, 422)])
def test_a_file_name_longer_than_255_characters_is_rejected(
    small_limits: httpx.Client, characters: int, status: int
):
    assert post_file(small_limits, b"x", "n" * characters).status_code == status


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=b"])
def test_a_malformed_form_is_answered_400(small_limits: httpx.Client, content_type: str):
    response = small_limits.post(
        "/predict", content=b"--x\r\nnonsense", headers={"content-type": content_type}
    )
    assert_problem(response, 400, "invalid-form")
