"""``?tta=``: the interval of the probabilities of test-time augmentation variants."""

import httpx
import pytest

from tests.integration.responses import assert_problem


def post(client: httpx.Client, data: bytes, **query: int) -> httpx.Response:
    return client.post("/predict", files={"file": ("a.png", data)}, params=query)


def test_variants_add_an_interval_and_do_not_change_the_prediction(
    tiny_service: httpx.Client, phantom_png: bytes
):
    plain = post(tiny_service, phantom_png).json()
    assert plain["uncertainty"]["interval"] is None
    answer = post(tiny_service, phantom_png, tta=8).json()
    assert answer["probabilities"]["COVID"] == pytest.approx(plain["probabilities"]["COVID"])
    interval = answer["uncertainty"]["interval"]
    assert interval["variants"] == 8
    assert interval["low"] < interval["high"]
    assert interval["low"] <= answer["probabilities"]["COVID"] <= interval["high"]
    positives = [model["probabilities"]["COVID"] for model in answer["models"]]
    spread = max(positives) - min(positives)
    assert answer["uncertainty"]["models_spread"] == pytest.approx(spread)


@pytest.mark.parametrize("tta", [-1, 33])
def test_a_number_of_variants_outside_the_range_is_answered_422(
    tiny_service: httpx.Client, phantom_png: bytes, tta: int
):
    assert_problem(post(tiny_service, phantom_png, tta=tta), 422, "invalid-request")


def test_a_batch_with_variants_is_answered_422(tiny_service: httpx.Client, phantom_png: bytes):
    files = {"files": ("a.png", phantom_png)}
    assert_problem(tiny_service.post("/predict/batch?tta=2", files=files), 422, "invalid-request")
