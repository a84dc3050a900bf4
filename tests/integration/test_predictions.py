"""Predictions over real HTTP, with a real model server."""

import hashlib
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from api.schemas.prediction import PredictionResponse
from api.settings import Settings
from serving.contract import MODEL_NAMES
from serving.volume.model_card import ModelCard
from tests.conftest import SHARED_UPLOADS
from tests.integration.conftest import gateway
from tests.integration.responses import post_file
from tests.servers import model_server
from tests.service_process import wait_until


def test_a_prediction_has_the_answers_of_three_models_and_the_ensemble(
    tiny_service: httpx.Client, phantom_png: bytes
):
    response = post_file(tiny_service, phantom_png)
    assert response.status_code == 200, response.text
    answer = PredictionResponse.model_validate_json(response.text)
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


def test_durations_are_in_the_body_and_in_the_server_timing_header(
    tiny_service: httpx.Client, phantom_png: bytes
):
    response = post_file(tiny_service, phantom_png)
    timing = response.json()["timing"]
    parts = ("decode_seconds", "preprocess_seconds", "inference_seconds")
    assert 0 < sum(timing[part] for part in parts) <= timing["total_seconds"]
    durations = dict(part.split(";dur=") for part in response.headers["server-timing"].split(", "))
    assert float(durations["total"]) == pytest.approx(1000 * timing["total_seconds"], abs=0.001)


@pytest.mark.parametrize("extension", [".png", ".jpg", ".bmp", ".tiff", ".webp"])
def test_images_of_every_format_are_predicted_whatever_their_file_name(
    tiny_service: httpx.Client, extension: str
):
    image = np.random.default_rng(0).integers(0, 256, (80, 100), np.uint8)
    data = cv2.imencode(extension, image)[1].tobytes()
    assert post_file(tiny_service, data, "no-extension").status_code == 200


@pytest.mark.skipif(not SHARED_UPLOADS.is_dir(), reason="the folder of real uploads is missing")
def test_every_real_upload_is_predicted(tiny_service: httpx.Client):
    files = sorted(SHARED_UPLOADS.iterdir())
    assert files
    for file in files:
        response = post_file(tiny_service, file.read_bytes(), file.name)
        assert response.status_code == 200, (file.name, response.text)
        assert len(response.json()["models"]) == 3


def test_a_batch_returns_a_result_or_problem_for_each_file_in_upload_order(
    tiny_service: httpx.Client, phantom_png: bytes
):
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
    single = post_file(tiny_service, phantom_png).json()
    assert good["result"]["probabilities"] == pytest.approx(single["probabilities"], abs=1e-6)


@pytest.mark.parametrize(("demos", "expected"), [("yyy", True), ("nnn", False), ("nyn", True)])
def test_a_prediction_is_marked_as_demo_if_any_of_its_models_is(
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
            assert post_file(client, phantom_png).json()["demo"] is expected
            models = client.get("/models").json()["models"]
    assert [model["demo"] for model in models] == [demo == "y" for demo in demos]
    assert models[0]["versions"][0]["metrics"] == {"accuracy": 0.9}
    assert models[0]["versions"][0]["state"] == "AVAILABLE"
