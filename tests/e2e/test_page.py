"""The upload page: uploads, verdicts, errors, heatmaps, and use without a mouse or JavaScript."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.dicom_files import ct_pixels, make_dicom

MODELS = ("vgg16", "resnet50", "xception")

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
DARK = {"color_scheme": "dark"}
NO_JAVASCRIPT = {"java_script_enabled": False}
EXPLAINED_MILLISECONDS = 90_000


@pytest.fixture
def covid_phantom(demo_dataset_dir: Path) -> Path:
    return demo_dataset_dir / "COVID" / "phantom-0000.png"


def upload(page: Page, file: Path) -> None:
    page.goto("/")
    page.set_input_files("#file", file)
    page.click("#submit")


def expect_answer(page: Page) -> None:
    for name in MODELS:
        row = page.locator(f"tr[data-model={name}]")
        expect(row).to_contain_text("COVID")
        expect(row).to_contain_text("version 1")
        expect(row).to_contain_text(" ms")
        confidence = float(row.locator("progress").get_attribute("value") or "nan")
        assert 0.5 <= confidence <= 1
    expect(page.locator("tr[data-model]")).to_have_count(len(MODELS))
    expect(page.locator("#verdict")).to_contain_text("Looks like COVID-19")
    expect(page.locator("[data-notice=demo]")).to_be_visible()


def test_the_empty_page_lists_the_models_and_marks_them_as_demo_models(page: Page):
    page.goto("/")
    for name in MODELS:
        model = page.locator(f"#models [data-model={name}]")
        expect(model).to_contain_text("ready")
        expect(model).to_contain_text("demo")
    expect(page.locator("main")).to_contain_text("not a medical device")
    expect(page.locator("[data-notice=demo]")).to_be_visible()


@pytest.mark.parametrize(
    "context_options",
    [{}, PHONE, DARK, NO_JAVASCRIPT],
    ids=["desktop", "phone", "dark", "no-javascript"],
)
def test_an_upload_shows_the_answers_of_three_models_and_the_verdict(
    page: Page, covid_phantom: Path
):
    upload(page, covid_phantom)
    expect_answer(page)
    for selector in ("html", ".table-responsive"):
        overflow = page.locator(selector).evaluate("it => it.scrollWidth - it.clientWidth")
        assert overflow <= 0, f"{selector} scrolls horizontally"


def test_a_phantom_without_covid_gets_a_negative_verdict(page: Page, demo_dataset_dir: Path):
    upload(page, demo_dataset_dir / "non-COVID" / "phantom-0000.png")
    expect(page.locator("#verdict")).to_contain_text("Does not look like COVID-19")


def test_the_chosen_image_is_previewed_before_it_is_sent(page: Page, covid_phantom: Path):
    page.goto("/")
    preview = page.locator("#preview")
    expect(preview).to_be_hidden()
    page.set_input_files("#file", covid_phantom)
    expect(preview).to_be_visible()
    expect(preview).to_have_js_property("naturalWidth", 256)
    expect(page.locator("#filename")).to_have_text("phantom-0000.png")


def test_an_image_can_be_dropped_onto_the_page(page: Page, covid_phantom: Path):
    page.goto("/")
    transfer = page.evaluate_handle(
        """(bytes) => {
            const transfer = new DataTransfer();
            const file = new File([new Uint8Array(bytes)], "dropped.png", {type: "image/png"});
            transfer.items.add(file);
            return transfer;
        }""",
        list(covid_phantom.read_bytes()),
    )
    page.dispatch_event("#drop-zone", "drop", {"dataTransfer": transfer})
    expect(page.locator("#filename")).to_have_text("dropped.png")
    page.click("#submit")
    expect_answer(page)


def test_the_result_of_a_second_image_replaces_the_first(page: Page, demo_dataset_dir: Path):
    upload(page, demo_dataset_dir / "COVID" / "phantom-0001.png")
    expect(page.locator("#result")).to_contain_text("phantom-0001.png")
    page.set_input_files("#file", demo_dataset_dir / "COVID" / "phantom-0002.png")
    page.click("#submit")
    expect(page.locator("#result")).to_contain_text("phantom-0002.png")
    expect(page.locator("#result")).not_to_contain_text("phantom-0001.png")


@pytest.mark.parametrize(
    "context_options", [{}, NO_JAVASCRIPT], ids=["javascript", "no-javascript"]
)
def test_a_damaged_image_gets_an_error_with_advice(page: Page, covid_phantom: Path, tmp_path: Path):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(covid_phantom.read_bytes()[:5000])
    upload(page, damaged)
    expect(page.locator("#problem")).to_contain_text("Damaged image")
    expect(page.locator("#problem")).to_contain_text("Export it again, uncompressed or as PNG.")


def test_the_page_can_be_used_with_the_keyboard_only(page: Page, covid_phantom: Path):
    page.goto("/")
    page.set_input_files("#file", covid_phantom)
    page.focus("#file")
    page.keyboard.press("Tab")
    expect(page.locator("#submit")).to_be_focused()
    page.keyboard.press("Enter")
    expect_answer(page)
    expect(page.locator("#result")).to_be_focused()


@pytest.mark.parametrize("context_options", [{}, PHONE], ids=["desktop", "phone"])
def test_the_heatmaps_are_shown_exactly_over_the_image(page: Page, covid_phantom: Path):
    upload(page, covid_phantom)
    page.click("#explain")
    expect(page.locator("#heatmap")).to_be_visible(timeout=EXPLAINED_MILLISECONDS)
    expect(page.locator("#heatmap")).to_have_js_property("naturalWidth", 256)
    expect(page.locator("#map-summary")).to_contain_text("The strongest part is at the")
    ensemble = page.locator("#heatmap").get_attribute("src")
    page.select_option("#map", "xception")
    expect(page.locator("#heatmap")).not_to_have_attribute("src", ensemble or "")
    page.locator("#opacity").fill("20")
    expect(page.locator("#heatmap")).to_have_css("opacity", "0.2")
    # Both in one call, because the page may still be scrolling.
    picture, heatmap = page.evaluate(
        "['picture', 'heatmap'].map(id => JSON.stringify("
        "document.getElementById(id).getBoundingClientRect()))"
    )
    assert picture == heatmap
    overflow = page.locator("html").evaluate("it => it.scrollWidth - it.clientWidth")
    assert overflow <= 0


def test_a_dicom_file_gets_an_answer_and_a_heatmap(page: Page, tmp_path: Path):
    file = tmp_path / "IM000001"
    file.write_bytes(make_dicom(ct_pixels(256, 256)))
    upload(page, file)
    expect(page.locator("#result")).to_contain_text("CT, lung window")
    page.click("#explain")
    expect(page.locator("#heatmap")).to_be_visible(timeout=EXPLAINED_MILLISECONDS)


@pytest.mark.parametrize("context_options", [NO_JAVASCRIPT])
def test_explanations_are_hidden_without_javascript(page: Page, covid_phantom: Path):
    upload(page, covid_phantom)
    expect_answer(page)
    expect(page.locator("#explanation")).to_be_hidden()
