"""``?tta=``: how far an answer goes with small changes of the image."""

import httpx
import pytest

from tests.integration.test_gateway import problem


def post(client: httpx.Client, data: bytes, **query: int) -> httpx.Response:
    return client.post("/predict", files={"file": ("a.png", data)}, params=query)


def test_variants_give_an_interval_and_leave_the_verdict(
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
def test_other_numbers_of_variants_are_a_problem(
    tiny_service: httpx.Client, phantom_png: bytes, tta: int
):
    problem(post(tiny_service, phantom_png, tta=tta), 422, "invalid-request")


def test_a_batch_has_no_variants(tiny_service: httpx.Client, phantom_png: bytes):
    files = {"files": ("a.png", phantom_png)}
    problem(tiny_service.post("/predict/batch?tta=2", files=files), 422, "invalid-request")
