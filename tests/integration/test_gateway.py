"""The gateway over real HTTP, in front of a real model server."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from api.schemas.prediction import PredictionAnswer
from api.schemas.problem import Problem
from api.settings import Settings
from serving.contract import MODEL_NAMES
from serving.volume.model_card import ModelCard
from tests.conftest import SHARED_UPLOADS
from tests.integration.conftest import READY, gateway, states
from tests.servers import model_server
from tests.service_process import wait_until


def post(client: httpx.Client, data: bytes, filename: str = "slice.png") -> httpx.Response:
    return client.post("/predict", files={"file": (filename, data)})


def problem(response: httpx.Response, status: int, kind: str) -> Problem:
    """The response is this problem, as RFC 9457 has it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = Problem.model_validate_json(response.text)
    assert body.status == status
    assert body.type == f"urn:covidscan:problem:{kind}"
    assert body.instance == response.request.url.path
    assert body.request_id == response.headers["x-request-id"]
    return body


def test_an_image_gets_three_models_and_an_ensemble(tiny_service: httpx.Client, phantom_png: bytes):
    response = post(tiny_service, phantom_png)
    assert response.status_code == 200, response.text
    answer = PredictionAnswer.model_validate_json(response.text)
    assert [model.name for model in answer.models] == list(MODEL_NAMES)
    assert [model.version for model in answer.models] == [1, 1, 1]
    assert answer.filename == "slice.png"
    assert answer.image.model_dump() == {
        "format": "png",
        "width": 256,
        "height": 256,
        "size_bytes": len(phantom_png),
        "sha256": hashlib.sha256(phantom_png).hexdigest(),
        "bits_used": None,
        "dicom": None,
    }
    mean = sum(m.probabilities["COVID"] for m in answer.models if m.probabilities) / 3
    assert answer.probabilities["COVID"] == pytest.approx(mean)
    assert answer.agreement.model_dump() == {"agreeing": 3, "answered": 3, "asked": 3}
    assert (answer.degraded, answer.demo) == (False, None)
    near = abs(mean - 0.5) <= 0.1
    assert (answer.review, "near_operating_point" in answer.review_reasons) == (near, near)
    assert answer.request_id == response.headers["x-request-id"]


def test_the_time_is_told_in_the_body_and_in_server_timing(
    tiny_service: httpx.Client, phantom_png: bytes
):
    response = post(tiny_service, phantom_png)
    timing = response.json()["timing"]
    parts = ("decode_seconds", "preprocess_seconds", "inference_seconds")
    assert 0 < sum(timing[part] for part in parts) <= timing["total_seconds"]
    durations = dict(part.split(";dur=") for part in response.headers["server-timing"].split(", "))
    assert float(durations["total"]) == pytest.approx(1000 * timing["total_seconds"], abs=0.001)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp", ".tiff", ".webp"])
def test_every_format_is_answered(tiny_service: httpx.Client, extension: str):
    image = np.random.default_rng(0).integers(0, 256, (80, 100), np.uint8)
    data = cv2.imencode(extension, image)[1].tobytes()
    assert post(tiny_service, data, "no-extension").status_code == 200


@pytest.mark.skipif(not SHARED_UPLOADS.is_dir(), reason="the real uploads are not here")
def test_every_real_upload_is_answered(tiny_service: httpx.Client):
    files = sorted(SHARED_UPLOADS.iterdir())
    assert files
    for file in files:
        response = post(tiny_service, file.read_bytes(), file.name)
        assert response.status_code == 200, (file.name, response.text)
        assert len(response.json()["models"]) == 3


def test_no_file_is_a_problem_that_says_what_to_send(tiny_service: httpx.Client):
    assert "'file'" in problem(tiny_service.post("/predict"), 422, "missing-file").detail
    wrong_field = tiny_service.post("/predict", files={"image": b"x"})
    problem(wrong_field, 422, "missing-file")


def test_an_empty_file_is_a_problem(tiny_service: httpx.Client):
    problem(post(tiny_service, b""), 422, "missing-file")


def test_a_file_that_is_no_image_is_a_problem(tiny_service: httpx.Client):
    problem(post(tiny_service, b"%PDF-1.7 hello"), 415, "unknown-format")


def test_a_truncated_image_is_a_problem(tiny_service: httpx.Client, phantom_png: bytes):
    problem(post(tiny_service, phantom_png[:-100]), 422, "damaged-image")


def test_several_images_in_one_file_are_a_problem(tiny_service: httpx.Client):
    pages = cv2.imencodemulti(".tiff", [np.zeros((48, 64, 3), np.uint8)] * 2)[1].tobytes()
    answer = problem(post(tiny_service, pages), 422, "several-images")
    assert answer.detail.endswith("send one image per file")


def test_unknown_paths_and_methods_are_problems(tiny_service: httpx.Client):
    problem(tiny_service.get("/nope"), 404, "not-found")
    problem(tiny_service.get("/predict"), 405, "method-not-allowed")


def test_what_was_sent_stands_in_no_problem(tiny_service: httpx.Client):
    marker = "Muster^Maria"
    responses = [
        post(tiny_service, marker.encode(), f"{marker}.png"),
        tiny_service.post("/predict", data={"file": marker}),
    ]
    for response in responses:
        assert response.status_code in (415, 422)
        assert marker not in response.text


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


def test_a_file_over_the_limit_is_a_problem(small_limits: httpx.Client):
    problem(post(small_limits, b"x" * 10_001), 413, "too-large")


def test_a_body_over_the_limit_is_not_read_to_its_end(small_limits: httpx.Client):
    """Without a Content-Length, so that only counting can tell."""
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
        problem(response, 413, "too-large")
    assert sent < 100_000_000


def test_too_many_pixels_are_a_problem(small_limits: httpx.Client):
    bomb = cv2.imencode(".png", np.zeros((200, 200), np.uint8))[1].tobytes()
    problem(post(small_limits, bomb), 413, "too-large")


def test_too_many_files_are_a_problem(small_limits: httpx.Client):
    files = [("files", ("a", b"x"))] * 3
    problem(small_limits.post("/predict/batch", files=files), 400, "invalid-form")


def test_a_second_file_is_a_problem(small_limits: httpx.Client):
    files = [("file", ("a", b"x"))] * 2
    problem(small_limits.post("/predict", files=files), 400, "invalid-form")


def test_a_form_of_many_fields_is_a_problem(small_limits: httpx.Client):
    fields = {f"field-{number}": "x" for number in range(20)}
    file = {"file": ("a", b"x")}
    problem(small_limits.post("/predict", data=fields, files=file), 400, "invalid-form")


@pytest.mark.parametrize(("characters", "status"), [(255, 415), (256, 422)])
def test_a_file_s_name_has_a_bound(small_limits: httpx.Client, characters: int, status: int):
    assert post(small_limits, b"x", "n" * characters).status_code == status


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=b"])
def test_a_form_that_cannot_be_read_is_a_problem(small_limits: httpx.Client, content_type: str):
    response = small_limits.post(
        "/predict", content=b"--x\r\nnonsense", headers={"content-type": content_type}
    )
    problem(response, 400, "invalid-form")


def test_a_batch_answers_each_file_in_its_place(tiny_service: httpx.Client, phantom_png: bytes):
    files = [
        ("files", ("good.png", phantom_png)),
        ("files", ("bad.png", b"no image")),
        ("files", ("again.png", phantom_png)),
    ]
    response = tiny_service.post("/predict/batch", files=files)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert (answer["succeeded"], answer["failed"]) == (2, 1)
    assert [item["filename"] for item in answer["items"]] == ["good.png", "bad.png", "again.png"]
    good, bad, again = answer["items"]
    assert bad["result"] is None
    assert bad["problem"]["type"] == "urn:covidscan:problem:unknown-format"
    assert good["problem"] is None
    assert good["result"]["probabilities"] == again["result"]["probabilities"]
    single = post(tiny_service, phantom_png).json()
    assert good["result"]["probabilities"] == pytest.approx(single["probabilities"], abs=1e-6)


def test_a_missing_model_degrades_the_answer_and_is_named(tiny_volume: Path, phantom_png: bytes):
    shutil.rmtree(tiny_volume / "resnet50")
    with (
        model_server(tiny_volume) as address,
        gateway(Settings(_env_file=None, model_server=address)) as client,
    ):
        wait_until(lambda: states(client) == {**READY, "resnet50": "not_available"})
        assert client.get("/readyz").status_code == 200
        assert client.get("/readyz?strict=true").status_code == 503
        answer = post(client, phantom_png).json()
    assert answer["degraded"] is True
    assert answer["agreement"]["answered"] == 2
    missing = answer["models"][1]
    assert (missing["name"], missing["status"]) == ("resnet50", "not_available")
    assert missing["prediction"] is missing["probabilities"] is missing["version"] is None


def test_readiness_rejects_what_it_does_not_know(tiny_service: httpx.Client):
    problem(tiny_service.get("/readyz?strict=maybe"), 422, "invalid-request")
    problem(tiny_service.get("/readyz?stict=true"), 422, "invalid-request")


def test_below_the_quorum_there_is_no_guess(tiny_volume: Path, phantom_png: bytes):
    shutil.rmtree(tiny_volume / "resnet50")
    with (
        model_server(tiny_volume) as address,
        gateway(Settings(_env_file=None, model_server=address, quorum=3)) as client,
    ):
        wait_until(lambda: states(client) == {**READY, "resnet50": "not_available"})
        assert client.get("/readyz").status_code == 503
        response = post(client, phantom_png)
    assert "resnet50: not_available" in problem(response, 503, "models-unavailable").detail
    assert int(response.headers["retry-after"]) > 0


def test_without_a_model_server_the_gateway_lives_and_is_not_ready(phantom_png: bytes):
    with gateway(Settings(_env_file=None, model_server="127.0.0.1:1")) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")
        assert ready.status_code == 503
        unreachable = dict.fromkeys(MODEL_NAMES, "unreachable")
        assert ready.json() == {"ready": False, "models": unreachable, "training": None}
        problem(post(client, phantom_png), 503, "models-unavailable")
        assert {m["status"] for m in client.get("/models").json()["models"]} == {"unreachable"}


def test_models_that_are_all_late_are_a_gateway_timeout(tiny_volume: Path, phantom_png: bytes):
    with model_server(tiny_volume) as address:
        late = Settings(_env_file=None, model_server=address, model_timeout_seconds=1e-6)
        with gateway(late) as client:
            # A model that is not there says so at once, which may be in time.
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            response = post(client, phantom_png)
    problem(response, 504, "models-late")
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(("demos", "expected"), [("yyy", True), ("nnn", False), ("nyn", True)])
def test_demo_models_are_said_to_be_demo(
    tiny_volume: Path, phantom_png: bytes, demos: str, expected: bool
):
    for name, demo in zip(MODEL_NAMES, demos, strict=True):
        ModelCard(
            name=name,
            demo=demo == "y",
            created_at="2026-01-01T00:00:00+00:00",
            metrics={"accuracy": 0.9},
        ).write(tiny_volume / name / "1")
    with model_server(tiny_volume) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=tiny_volume)
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            assert post(client, phantom_png).json()["demo"] is expected
            models = client.get("/models").json()["models"]
    assert [model["demo"] for model in models] == [demo == "y" for demo in demos]
    assert models[0]["versions"][0]["metrics"] == {"accuracy": 0.9}
    assert models[0]["versions"][0]["state"] == "AVAILABLE"


def test_the_openapi_document_has_examples_and_every_problem(tiny_service: httpx.Client):
    document = tiny_service.get("/openapi.json").json()
    predict = document["paths"]["/predict"]["post"]
    problems = set(predict["responses"]) - {"200"}
    assert problems == {
        *("400", "401", "403", "408", "413", "415", "422", "429"),
        *("500", "503", "504"),
    }
    for status in problems:
        schema = predict["responses"][status]["content"]["application/problem+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Problem"}
    schemas = document["components"]["schemas"]
    for name in ("PredictionAnswer", "Problem"):
        assert schemas[name]["examples"], name
    PredictionAnswer.model_validate(schemas["PredictionAnswer"]["examples"][0])
    assert "HTTPValidationError" not in json.dumps(document)
