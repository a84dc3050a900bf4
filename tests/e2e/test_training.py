"""The page while the demo models are being trained."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.settings import Settings
from api.training_progress import ModelTraining
from serving.training_progress import TrainingProgress
from tests.conftest import fill_volume
from tests.integration.conftest import gateway
from tests.servers import model_server


@pytest.fixture
def training() -> ModelTraining:
    training = ModelTraining()
    training.progress = TrainingProgress(0.25, remaining_seconds=90, next_model_seconds=30)
    return training


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """A volume that is empty at first."""
    return tmp_path / "volume"


@pytest.fixture
def service(models_dir: Path, training: ModelTraining) -> Iterator[str]:
    models_dir.mkdir()
    with model_server(models_dir) as address:
        settings = Settings(_env_file=None, model_server=address, models_dir=models_dir)
        with gateway(settings, training) as client:
            yield str(client.base_url).rstrip("/")


def test_the_page_follows_the_training_until_every_model_is_ready(
    page: Page, training: ModelTraining, models_dir: Path, tiny_saved_model: Path
):
    page.goto("/")
    expect(page.locator("#training")).to_contain_text("25 % done, about 90 seconds left")
    expect(page.locator("#models [data-model=vgg16]")).to_contain_text("not available")

    training.progress = TrainingProgress(0.5, remaining_seconds=61.4, next_model_seconds=1)
    expect(page.locator("#training")).to_contain_text("50 % done, about 61 seconds left")

    shutil.copytree(tiny_saved_model, models_dir / "vgg16" / "1")
    expect(page.locator("#models [data-model=vgg16]")).to_contain_text("ready")
    expect(page.locator("#models [data-model=xception]")).to_contain_text("not available")

    shutil.rmtree(models_dir / "vgg16")
    fill_volume(models_dir, tiny_saved_model)
    training.progress = None
    expect(page.locator("#training")).to_have_count(0)
    expect(page.locator("#models [data-model=xception]")).to_contain_text("ready")


def test_the_page_reports_a_failed_training(page: Page, training: ModelTraining):
    page.goto("/")
    expect(page.locator("#training")).to_be_visible()
    training.progress = None
    training.failed = True
    expect(page.locator("#training-failed")).to_contain_text("failed")
    expect(page.locator("#training")).to_have_count(0)


def test_an_upload_before_any_model_is_ready_reports_the_training(page: Page, phantom_png: bytes):
    page.goto("/")
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": phantom_png})
    page.click("#submit")
    expect(page.locator("#result")).to_contain_text("still being trained")


@pytest.mark.parametrize("context_options", [{"java_script_enabled": False}], ids=["no-javascript"])
def test_the_page_has_a_link_to_reload_it_without_javascript(page: Page):
    page.goto("/")
    page.click("text=Refresh")
    expect(page.locator("#training")).to_contain_text("25 % done")
