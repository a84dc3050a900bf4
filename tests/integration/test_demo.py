"""The demo models, trained for real, behind the real service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.settings import Settings
from serving import volume
from serving.contract import CLASS_NAMES, MODEL_NAMES
from serving.volume.model_card import ModelCard
from tests.integration.conftest import gateway
from tests.servers import model_server
from tests.service_process import wait_until
from trainer.demo.dataset import write_phantoms


@pytest.fixture(scope="module")
def service(demo_models_dir: Path) -> Iterator[httpx.Client]:
    with model_server(demo_models_dir) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=demo_models_dir)
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            yield client


def test_an_upload_before_the_first_model_gets_503_with_the_progress(first_minutes: dict[str, Any]):
    problem = first_minutes["first_upload"]
    assert (problem["status"], problem["type"]) == (503, "urn:covidscan:problem:models-in-training")
    assert "% done" in problem["detail"]
    assert int(problem["retry_after"]) > 0
    readiness = first_minutes["first_readiness"]
    assert not readiness["ready"]
    assert readiness["training"]["remaining_seconds"] > 0
    assert 'id="training"' in first_minutes["page"]


def test_the_first_model_answers_during_training(first_minutes: dict[str, Any]):
    answer = first_minutes["first_answer"]
    assert answer["degraded"]
    assert answer["agreement"]["answered"] < len(MODEL_NAMES)
    assert answer["prediction"] == "COVID"


def test_progress_never_decreases_and_ends_with_all_models_ready(first_minutes: dict[str, Any]):
    shares = first_minutes["shares"]
    assert shares == sorted(shares)
    assert len(set(shares)) > 10
    assert first_minutes["last_readiness"] == {
        "ready": True,
        "models": dict.fromkeys(MODEL_NAMES, "ok"),
        "training": None,
    }
    assert first_minutes["exit_code"] == 0


def test_only_structured_log_lines_are_written_during_training(demo_dir: Path):
    """TensorFlow greets with some 16 lines."""
    for line in (demo_dir / "log").read_text().splitlines():
        assert json.loads(line)["level"] in {"info", "warning"}, line


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_each_model_has_95_percent_accuracy_on_held_out_phantoms(demo_models_dir: Path, name: str):
    card = ModelCard.read(volume.version_dir(demo_models_dir, name, 1))
    assert card.metrics["accuracy"] >= 0.95
    assert card.dataset["split"]["test"] >= 100
    assert card.demo


def test_served_models_classify_new_phantoms(service: httpx.Client, tmp_path: Path):
    write_phantoms(tmp_path, seed=20_201, per_class=30)
    right: dict[str, list[bool]] = {name: [] for name in (*MODEL_NAMES, "ensemble")}
    for class_name in CLASS_NAMES:
        files = [
            ("files", (file.name, file.read_bytes()))
            for file in sorted((tmp_path / class_name).iterdir())
        ]
        answer = service.post("/predict/batch", files=files).raise_for_status().json()
        for item in answer["items"]:
            right["ensemble"].append(item["result"]["prediction"] == class_name)
            for model in item["result"]["models"]:
                right[model["name"]].append(model["prediction"] == class_name)
    shares = {name: sum(answers) / len(answers) for name, answers in right.items()}
    assert min(shares.values()) >= 0.9, shares


def test_answers_and_page_mark_the_models_as_demo_models(service: httpx.Client, phantom_png: bytes):
    answer = service.post("/predict", files={"file": ("x.png", phantom_png)}).json()
    assert answer["demo"] is True
    assert all(model["demo"] is True for model in service.get("/models").json()["models"])
    assert 'data-notice="demo"' in service.get("/").text
