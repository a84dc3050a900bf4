"""``POST /explain`` over real HTTP, with a real model server."""

import base64
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
import tensorflow as tf

from api.schemas.explanation import ExplanationResponse
from api.settings import Settings
from tests.dicom_files import make_dicom
from tests.integration.conftest import gateway
from tests.integration.responses import assert_problem
from tests.servers import model_server
from tests.service_process import wait_until

CORNERS = {"vgg16": (0, 0), "resnet50": (0, 48), "xception": (48, 48)}
"""The row and column of the part that each model uses; ResNet50 predicts non-COVID from it."""


class CornerModel(tf.Module):
    """Predicts COVID, or non-COVID if the weight is negative, from the contrast in one corner."""

    def __init__(self, corner: tuple[int, int], weight: float) -> None:
        self._corner, self._weight = corner, weight

    @tf.function(input_signature=[tf.TensorSpec([None, 64, 64, 3], tf.float32, name="image")])
    def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        top, left = self._corner
        part = image[:, top : top + 16, left : left + 16, 0]
        logit = self._weight * tf.math.reduce_std(part, axis=[1, 2])
        return {"probabilities": tf.nn.softmax(tf.stack([logit, tf.zeros_like(logit)], axis=1))}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    volume = tmp_path_factory.mktemp("corner_models")
    for name, corner in CORNERS.items():
        model = CornerModel(corner, -9 if name == "resnet50" else 9)
        tf.saved_model.save(
            model, str(volume / name / "1"), signatures={"serving_default": model.serve}
        )
    with model_server(volume) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=volume)
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            yield client


@pytest.fixture(scope="module")
def noise() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128), np.uint8)
    return cv2.imencode(".png", cv2.resize(pixels, (640, 480), interpolation=cv2.INTER_NEAREST))[
        1
    ].tobytes()


def post(client: httpx.Client, data: bytes, accept: str = "*/*", **query: object) -> httpx.Response:
    return client.post(
        "/explain", files={"file": ("a", data)}, params=query, headers={"Accept": accept}
    )


def test_each_map_highlights_the_corner_that_its_model_uses(service: httpx.Client, noise: bytes):
    response = post(service, noise)
    assert response.status_code == 200, response.text
    answer = ExplanationResponse.model_validate_json(response.text)
    maps = {each.name: np.array(each.values) for each in answer.maps}
    assert list(maps) == ["ensemble", *CORNERS]
    for name, (row, column) in CORNERS.items():
        sign = -1 if name == "resnet50" else 1
        strongest = np.unravel_index(np.argmax(sign * maps[name]), (16, 16))
        assert strongest[0] in range(row // 4 - 1, row // 4 + 5), name
        assert strongest[1] in range(column // 4 - 1, column // 4 + 5), name
    assert maps["ensemble"] == pytest.approx(
        np.mean([maps[name] for name in CORNERS], axis=0), abs=1e-3
    )
    assert answer.images_asked == 192
    assert [model.version for model in answer.prediction.models] == [1, 1, 1]


def test_the_picture_and_the_heatmaps_have_the_same_size(service: httpx.Client, noise: bytes):
    answer = post(service, noise).json()
    picture = decoded(answer["picture"])
    assert picture.shape == (384, 512, 3)
    for each in answer["maps"]:
        assert decoded(each["heatmap"]).shape == (384, 512, 4)
    largest = max(abs(value) for each in answer["maps"] for row in each["values"] for value in row)
    assert largest <= answer["scale"] < 1.5 * largest


def decoded(text: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(text), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED))


@pytest.mark.parametrize(("name", "corner"), [("vgg16", (0, 0)), ("xception", (1, 1))])
def test_accept_image_png_returns_the_image_with_one_map_overlaid(
    service: httpx.Client, name: str, corner: tuple[int, int]
):
    checks = np.kron(np.indices((16, 16)).sum(axis=0) % 2 * 40 + 80, np.ones((8, 8)))
    grey = cv2.imencode(".png", checks.astype(np.uint8))[1].tobytes()
    response = post(service, grey, "image/png", map=name)
    assert response.headers["content-type"] == "image/png"
    image = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_COLOR)
    redness = image[..., 2].astype(int) - image[..., 0]
    quarters = {
        (row, column): redness[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64].mean()
        for row in (0, 1)
        for column in (0, 1)
    }
    assert max(quarters, key=lambda each: quarters[each]) == corner


def test_a_dicom_file_is_explained_with_the_selected_window(service: httpx.Client):
    answer = post(service, make_dicom(), window="lung").json()
    assert answer["prediction"]["image"]["dicom"]["window"]["source"] == "lung"
    assert decoded(answer["picture"]).shape == (48, 64, 3)


def test_explain_answers_with_the_same_problems_as_predict(service: httpx.Client):
    assert_problem(post(service, b"GIF89a"), 415, "unknown-format")
    assert_problem(post(service, make_dicom(Modality="MR")), 422, "wrong-modality")
    assert_problem(post(service, make_dicom(), map="vgg19"), 422, "invalid-request")
    assert_problem(service.post("/explain"), 422, "missing-file")


def test_maps_change_with_the_weights_of_the_model(
    service: httpx.Client, noise: bytes, tmp_path: Path
):
    """Sanity check of Adebayo et al. 2018: a map that stays the same does not explain the model."""
    rng = np.random.default_rng(1)
    for name in CORNERS:
        corner = tuple(int(offset) for offset in rng.choice([16, 32], 2))
        model = CornerModel((corner[0], corner[1]), 9)
        tf.saved_model.save(
            model, str(tmp_path / name / "1"), signatures={"serving_default": model.serve}
        )
    before = post(service, noise).json()["maps"]
    with model_server(tmp_path) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=tmp_path)
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            after = post(client, noise).json()["maps"]
    for one, other in zip(before, after, strict=True):
        correlation = np.corrcoef(np.ravel(one["values"]), np.ravel(other["values"]))[0, 1]
        assert correlation < 0.3, one["name"]
