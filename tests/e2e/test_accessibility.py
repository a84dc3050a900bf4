"""axe-core finds no accessibility violations on the page (WCAG 2.2, A and AA)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from serving import volume
from serving.contract import MODEL_NAMES
from serving.volume.model_card import ModelCard
from tests.conftest import fill_volume
from tests.dicom_files import ct_pixels, make_dicom
from tests.e2e.test_page import DARK, EXPLAINED_MILLISECONDS, PHONE
from tests.service_process import running_service

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}

pytestmark = pytest.mark.parametrize(
    "context_options", [{}, DARK, PHONE], ids=["light", "dark", "phone"]
)


@pytest.fixture(scope="module")
def service(tiny_saved_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose models explain an image in a second; their cards say that they are demos."""
    models_dir = fill_volume(tmp_path_factory.mktemp("accessible") / "models", tiny_saved_model)
    for name in MODEL_NAMES:
        card = ModelCard(name=name, demo=True, created_at="2026-11-30", metrics={})
        card.write(volume.version_dir(models_dir, name, 1))
    with running_service(models_dir) as (_, address):
        yield address


def expect_no_violations(page: Page) -> None:
    # During a transition, colours have neither the old contrast nor the new one.
    page.evaluate("Promise.all(document.getAnimations().map(each => each.finished))")
    results = Axe().run(page, options=RULES)
    assert results.violations_count == 0, results.generate_report()


def test_the_empty_page_is_accessible(page: Page):
    page.goto("/")
    expect_no_violations(page)


def test_an_answer_with_the_viewer_and_a_heatmap_is_accessible(
    page: Page, tmp_path: Path, phantom_png: bytes
):
    series = tmp_path / "IM000001"
    series.write_bytes(make_dicom(ct_pixels(128, 128)[None].repeat(3, axis=0), NumberOfFrames=3))
    phantom = tmp_path / "phantom.png"
    phantom.write_bytes(phantom_png)
    page.goto("/")
    page.set_input_files("#file", [series, phantom])
    page.click("#submit")
    expect(page.locator("#queue-status")).to_have_text("2 of 2 done")
    page.click("#explain")
    expect(page.locator("#heatmap")).to_be_visible(timeout=EXPLAINED_MILLISECONDS)
    expect_no_violations(page)


def test_a_rejection_is_accessible(page: Page, tmp_path: Path):
    file = tmp_path / "mr.dcm"
    file.write_bytes(make_dicom(ct_pixels(64, 64), Modality="MR"))
    page.goto("/")
    page.set_input_files("#file", file)
    page.click("#submit")
    expect(page.locator("#force")).to_be_visible()
    expect_no_violations(page)
