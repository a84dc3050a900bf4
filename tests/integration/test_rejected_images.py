"""Images that do not look like chest scans are rejected with reasons unless ``force`` is set."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import httpx
import keras
import numpy as np
import pytest

from api.settings import Settings
from serving.contract import (
    INPUT_NAME,
    MODEL_NAMES,
    OLD_OOD_OUTPUT_NAME,
    OOD_OUTPUT_NAME,
    OUTPUT_NAME,
)
from serving.volume.model_card import ModelCard
from tests.conftest import fill_volume
from tests.dicom_files import ct_pixels, make_dicom
from tests.integration.conftest import gateway
from tests.servers import model_server
from tests.service_process import wait_until
from trainer.publication.export import save


def grey_png(level: float) -> bytes:
    """Stripes around a grey level, from which the models below compute their OOD score."""
    stripes = np.where(np.arange(128) // 16 % 2, level - 40, level + 40)
    return cv2.imencode(".png", np.tile(stripes.astype(np.uint8), (96, 1)))[1].tobytes()


IN_DISTRIBUTION, OUT_OF_DISTRIBUTION = grey_png(60), grey_png(200)


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose OOD score is twice the mean of the pixels."""
    return save_model(tmp_path_factory.mktemp("models"), OOD_OUTPUT_NAME)


def save_model(folder: Path, ood_output: str) -> Path:
    keras.utils.set_random_seed(0)
    image = keras.Input((64, 64, 3), name=INPUT_NAME)
    mean = keras.layers.GlobalAveragePooling2D()(image)
    probabilities = keras.layers.Dense(2, activation="softmax")(mean)
    score = 2 * keras.ops.mean(mean, axis=-1)
    path = folder / "saved_model"
    outputs = {OUTPUT_NAME: probabilities, ood_output: score}
    save(keras.Model(image, outputs, name="far"), path)
    return path


def put_cards(models_dir: Path, *, demo: bool) -> None:
    for name in MODEL_NAMES:
        card = ModelCard(name=name, demo=demo, created_at="2026-11-26", metrics={})
        card.write(models_dir / name / "1")


@contextmanager
def service_of(models_dir: Path, saved_model: Path, *, demo: bool) -> Iterator[httpx.Client]:
    fill_volume(models_dir, saved_model)
    put_cards(models_dir, demo=demo)
    with model_server(models_dir) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=models_dir)
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            yield client


@pytest.fixture
def service(tmp_path: Path, saved_model: Path) -> Iterator[httpx.Client]:
    with service_of(tmp_path / "models", saved_model, demo=False) as client:
        yield client


def post(client: httpx.Client, data: bytes, path: str = "/predict", **query: str) -> httpx.Response:
    return client.post(path, files={"file": ("x", data)}, params=query)


def rejected(response: httpx.Response) -> list[str]:
    assert response.status_code == 422, response.text
    assert response.json()["type"] == "urn:covidscan:problem:rejected-image"
    reasons: list[str] = response.json()["reasons"]
    return reasons


def colour_picture() -> bytes:
    y, x = np.mgrid[:80, :90]
    return cv2.imencode(".png", np.stack([3 * x % 256, 2 * y, 250 - 2 * x], -1).astype(np.uint8))[
        1
    ].tobytes()


def test_an_image_in_distribution_is_predicted_with_its_ood_score(service: httpx.Client):
    answer = post(service, IN_DISTRIBUTION).json()
    assert answer["input_check"]["reasons"] == []
    assert answer["input_check"]["ood_score"] == pytest.approx(120 / 255, abs=0.01)
    scores = [model["ood_score"] for model in answer["models"]]
    assert scores == pytest.approx(3 * [120 / 255], abs=0.01)


def test_an_out_of_distribution_image_is_rejected_as_not_chest(service: httpx.Client):
    response = post(service, OUT_OF_DISTRIBUTION)
    assert rejected(response) == ["not_chest"]
    assert "unlike the chest images" in response.json()["detail"]
    assert "force=true" in response.json()["detail"]


def test_a_forced_prediction_needs_review_and_contains_the_reasons(service: httpx.Client):
    answer = post(service, OUT_OF_DISTRIBUTION, force="true").json()
    assert answer["input_check"]["reasons"] == ["not_chest"]
    assert answer["input_check"]["ood_score"] > 1
    assert answer["review"]
    assert "forced" in answer["review_reasons"]
    assert answer["prediction"] in ("COVID", "non-COVID")


def test_force_does_not_change_the_result_of_an_accepted_image(service: httpx.Client):
    answer = post(service, IN_DISTRIBUTION, force="true").json()
    assert answer["input_check"]["reasons"] == []
    assert "forced" not in answer["review_reasons"]


def test_an_image_that_fails_the_pixel_checks_is_rejected_without_calling_a_model(
    service: httpx.Client,
):
    before = service.get("/metrics").text
    assert rejected(post(service, colour_picture())) == ["colour_photo"]
    after = service.get("/metrics").text
    assert 'covidscan_rejected_images_total{reason="colour_photo"} 1.0' in after
    model_calls = [
        line for line in after.splitlines() if line.startswith("covidscan_model_answers")
    ]
    assert model_calls == [
        line for line in before.splitlines() if line.startswith("covidscan_model_answers")
    ]


def test_a_rejection_lists_all_reasons(service: httpx.Client):
    tiny = cv2.imencode(".png", np.full((8, 8), 250, np.uint8))[1].tobytes()
    assert rejected(post(service, tiny)) == ["too_small", "blank"]
    forced = post(service, tiny, force="true").json()
    assert forced["input_check"]["reasons"] == ["too_small", "blank", "not_chest"]


def test_another_modality_is_predicted_only_with_force(service: httpx.Client):
    magnetic_resonance = make_dicom(ct_pixels(), Modality="MR")
    response = post(service, magnetic_resonance)
    assert response.status_code == 422
    assert response.json()["type"] == "urn:covidscan:problem:wrong-modality"
    assert response.json()["reasons"] == ["wrong_modality"]
    answer = post(service, magnetic_resonance, force="true").json()
    assert answer["image"]["dicom"]["modality"] == "MR"
    assert "wrong_modality" in answer["input_check"]["reasons"]
    assert "forced" in answer["review_reasons"]


def test_an_unknown_modality_is_reported_as_other(service: httpx.Client):
    unknown = make_dicom(ct_pixels(), Modality="Mustermann")
    answer = post(service, unknown, force="true")
    assert answer.json()["image"]["dicom"]["modality"] == "other"
    assert "Mustermann" not in answer.text


def test_a_rejected_file_in_a_batch_does_not_affect_the_others(service: httpx.Client):
    files = [("files", ("near", IN_DISTRIBUTION)), ("files", ("far", OUT_OF_DISTRIBUTION))]
    items = service.post("/predict/batch", files=files).json()["items"]
    assert items[0]["result"]["input_check"]["reasons"] == []
    assert items[1]["problem"]["reasons"] == ["not_chest"]
    forced = service.post("/predict/batch", files=files, params={"force": "true"}).json()
    assert forced["succeeded"] == 2


def test_a_rejected_image_is_explained_only_with_force(service: httpx.Client):
    assert rejected(post(service, OUT_OF_DISTRIBUTION, "/explain")) == ["not_chest"]
    explained = post(service, OUT_OF_DISTRIBUTION, "/explain", force="true").json()
    assert explained["prediction"]["input_check"]["reasons"] == ["not_chest"]


def test_metrics_count_the_ood_scores_of_accepted_and_rejected_images(service: httpx.Client):
    for data in (IN_DISTRIBUTION, OUT_OF_DISTRIBUTION):
        post(service, data)
    metrics = service.get("/metrics").text
    assert 'covidscan_ood_score_bucket{le="1.0"} 1.0' in metrics
    assert "covidscan_ood_score_count 2.0" in metrics


def test_the_ood_score_of_demo_models_does_not_reject_images(tmp_path: Path, saved_model: Path):
    with service_of(tmp_path / "models", saved_model, demo=True) as service:
        answer = post(service, OUT_OF_DISTRIBUTION).json()
    assert answer["demo"]
    assert answer["input_check"]["reasons"] == []
    assert answer["input_check"]["ood_score"] > 1


def test_the_ood_output_name_of_versions_before_0_2_is_read(tmp_path: Path):
    saved_model = save_model(tmp_path, OLD_OOD_OUTPUT_NAME)
    with service_of(tmp_path / "models", saved_model, demo=False) as service:
        assert rejected(post(service, OUT_OF_DISTRIBUTION)) == ["not_chest"]
        assert 0 < post(service, IN_DISTRIBUTION).json()["input_check"]["ood_score"] < 1


def test_models_without_an_ood_score_predict_without_it(
    tiny_service: httpx.Client, phantom_png: bytes
):
    answer = post(tiny_service, phantom_png).json()
    assert answer["input_check"] == {"reasons": [], "ood_score": None}
    assert {model["ood_score"] for model in answer["models"]} == {None}


def test_the_page_shows_the_reason_of_a_rejection_and_predicts_with_force(service: httpx.Client):
    page = service.post("/", files={"file": ("x", OUT_OF_DISTRIBUTION)})
    assert page.status_code == 422
    assert "unlike the chest images" in page.text
    forced = service.post("/", files={"file": ("x", OUT_OF_DISTRIBUTION)}, data={"force": "true"})
    assert forced.status_code == 200
