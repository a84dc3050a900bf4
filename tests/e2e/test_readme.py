"""The page as the README shows it; ``make screenshots`` saves these screenshots."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.test_page import EXPLAINED_MILLISECONDS, PHONE

DESKTOP = {"viewport": {"width": 1100, "height": 700}}
DARK_PHONE = {**PHONE, "color_scheme": "dark"}


def save_screenshot(page: Page, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS_DIR"):
        page.screenshot(path=Path(folder) / name, full_page=True)


@pytest.mark.parametrize("context_options", [DESKTOP])
def test_the_page_shows_six_answers_and_a_heatmap_over_the_selected_image(
    context: BrowserContext, demo_dataset_dir: Path
):
    page = context.new_page()
    page.goto("/")
    files = [
        demo_dataset_dir / kind / f"phantom-000{number}.png"
        for number in range(3)
        for kind in ("COVID", "non-COVID")
    ]
    page.set_input_files("#file", files)
    page.click("#submit")
    expect(page.locator("#queue-status")).to_have_text("6 of 6 done")
    page.click("#explain")
    expect(page.locator("#heatmap")).to_be_visible(timeout=EXPLAINED_MILLISECONDS)
    expect(page.locator("[data-notice=demo]")).to_be_visible()
    save_screenshot(page, "page.png")


@pytest.mark.parametrize("context_options", [DARK_PHONE])
def test_a_phone_in_dark_mode_shows_the_image_of_an_answer(
    context: BrowserContext, demo_dataset_dir: Path
):
    page = context.new_page()
    page.goto("/")
    page.set_input_files("#file", demo_dataset_dir / "non-COVID" / "phantom-0003.png")
    page.click("#submit")
    expect(page.locator("#picture")).to_be_visible()
    save_screenshot(page, "phone.png")
