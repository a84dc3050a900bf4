"""``GET /metrics`` after known requests."""

import shutil
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.settings import Settings
from tests.integration.conftest import READY, gateway, states
from tests.servers import model_server
from tests.service_process import wait_until


def samples(client: httpx.Client) -> dict[tuple[str, ...], float]:
    """The samples, keyed by name and label values."""
    text = client.get("/metrics").text
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def post(client: httpx.Client, data: bytes) -> httpx.Response:
    return client.post("/predict", files={"file": ("slice.png", data)})


def test_predictions_are_counted_by_class_and_version(
    tiny_service: httpx.Client, phantom_png: bytes
):
    prediction = post(tiny_service, phantom_png).json()["prediction"]
    post(tiny_service, phantom_png)
    found = samples(tiny_service)
    assert found["covidscan_predictions_total", prediction] == 2
    assert found["covidscan_ensemble_probability_count",] == 2
    for model in ("vgg16", "resnet50", "xception"):
        assert found["covidscan_model_predictions_total", model, prediction, "1"] == 2
        assert found["covidscan_model_answers_total", model, "ok"] == 2
        assert found["covidscan_model_duration_seconds_count", model] == 2
    for stage in ("decode", "preprocess", "inference"):
        assert found["covidscan_stage_duration_seconds_count", stage] == 2
    assert found["covidscan_degraded_answers_total",] == 0


def test_requests_are_counted_by_route_and_status_and_rejected_files_by_reason(
    tiny_service: httpx.Client, phantom_png: bytes
):
    for data in (phantom_png, b"no image", b"no image", phantom_png[:-100]):
        post(tiny_service, data)
    tiny_service.get("/nowhere/else")
    tiny_service.request("FROBNICATE", "/models")
    found = samples(tiny_service)
    assert found["covidscan_requests_total", "POST", "/predict", "200"] == 1
    assert found["covidscan_requests_total", "POST", "/predict", "415"] == 2
    assert found["covidscan_requests_total", "GET", "none", "404"] == 1
    assert not [labels for labels in found if "FROBNICATE" in labels]
    assert found["covidscan_request_duration_seconds_count", "/predict", "415"] == 2
    assert found["covidscan_rejected_images_total", "unknown-format"] == 2
    assert found["covidscan_rejected_images_total", "damaged-image"] == 1


def test_only_the_metrics_request_itself_is_in_progress(
    tiny_service: httpx.Client, phantom_png: bytes
):
    post(tiny_service, phantom_png)
    found = samples(tiny_service)
    assert found["covidscan_requests_in_progress",] == 1
    for name in ("images_in_progress", "images_waiting", "received_bytes"):
        assert found[f"covidscan_{name}",] == 0
    assert found["process_resident_memory_bytes",] > 0


def test_build_info_has_the_fingerprint_of_the_preprocessing(tiny_service: httpx.Client):
    (build,) = [labels for labels in samples(tiny_service) if labels[0] == "covidscan_build_info"]
    assert len(build[1]) == 16, "the fingerprint of the preprocessing"


@pytest.mark.parametrize("band", [0.0, 0.49])
def test_a_missing_model_and_a_review_are_counted(
    tiny_volume: Path, phantom_png: bytes, band: float
):
    shutil.rmtree(tiny_volume / "resnet50")
    with model_server(tiny_volume) as address:
        settings = Settings(_env_file=None, model_server=address, review_band=band)
        with gateway(settings) as client:
            wait_until(lambda: states(client) == {**READY, "resnet50": "not_available"})
            post(client, phantom_png)
            found = samples(client)
    assert found["covidscan_degraded_answers_total",] == 1
    assert found["covidscan_model_answers_total", "resnet50", "not_available"] == 1
    reviewed = found.get(("covidscan_review_answers_total", "near_operating_point"), 0)
    assert reviewed == (band > 0)
