"""A session with several images: queue, viewer, session storage, downloads and report."""

import csv
import io
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Download, Page, expect

from tests.dicom_files import ct_pixels, look_up_table, make_dicom

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}


@pytest.fixture
def phantoms(demo_dataset_dir: Path) -> list[Path]:
    return [
        demo_dataset_dir / kind / f"phantom-000{number}.png"
        for number in range(2)
        for kind in ("COVID", "non-COVID")
    ]


@pytest.fixture
def colour_picture(tmp_path: Path) -> Path:
    y, x = np.mgrid[:100, :120]
    picture = np.stack([x * 2, y * 2, (x + 2 * y) % 256], axis=-1).astype(np.uint8)
    file = tmp_path / "=holiday.png"
    assert cv2.imwrite(str(file), picture)
    return file


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A DICOM file of three frames, each brighter than the one before."""
    file = tmp_path / "IM000001"
    frames = np.stack([ct_pixels(128, 128) + 40 * number for number in range(3)])
    file.write_bytes(make_dicom(frames, NumberOfFrames=3))
    return file


def send(page: Page, *files: Path) -> None:
    page.set_input_files("#file", files)
    page.click("#submit")


def finish(page: Page, count: int) -> None:
    expect(page.locator("#queue-status")).to_have_text(f"{count} of {count} done")


def content(download: Download) -> str:
    return download.path().read_text(encoding="utf-8")


def mean_grey(page: Page) -> float:
    """The mean grey value of the image in the viewer."""
    return page.locator("#picture").evaluate(
        """canvas => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.filter((_, index) => index % 4 === 0).reduce((a, b) => a + b, 0)
                / (canvas.width * canvas.height);
        }"""
    )


@pytest.mark.parametrize("context_options", [{}, PHONE], ids=["desktop", "phone"])
def test_several_images_are_answered_one_after_the_other(
    page: Page, phantoms: list[Path], colour_picture: Path
):
    page.goto("/")
    send(page, *phantoms, colour_picture)
    finish(page, 5)
    rows = page.locator("#items button")
    for index, file in enumerate(phantoms):
        prediction = file.parent.name
        expect(rows.nth(index)).to_contain_text(re.compile(rf"{file.name}\s*{prediction}, \d"))
    expect(rows.nth(4)).to_contain_text("rejected")
    expect(page.locator("#result")).to_contain_text(phantoms[0].name)
    rows.nth(1).click()
    expect(page.locator("#verdict")).to_contain_text("Does not look like COVID-19")
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    overflow = page.locator("html").evaluate("it => it.scrollWidth - it.clientWidth")
    assert overflow <= 0


def test_a_rejected_image_gets_its_reason_and_can_be_forced(page: Page, colour_picture: Path):
    page.goto("/")
    send(page, colour_picture)
    expect(page.locator("#problem")).to_contain_text(
        "It is a colour picture; chest scans are grey."
    )
    methods: list[str] = []
    page.on("request", lambda request: methods.append(request.method))
    page.dblclick("#force")
    expect(page.locator("#verdict")).to_contain_text("COVID-19")
    expect(page.locator("#result")).to_have_attribute("aria-busy", "false")
    # One request for the prediction and one for the pixel values of the viewer.
    expect(page.locator("#picture")).to_be_visible()
    assert methods.count("POST") == 2
    notice = page.locator("[data-notice=review]")
    expect(notice).to_contain_text("This image would have been rejected:")
    expect(notice).to_contain_text("It is a colour picture")


def test_a_reload_keeps_the_answers_but_not_the_images(page: Page, phantoms: list[Path]):
    page.goto("/")
    send(page, *phantoms[:2])
    finish(page, 2)
    page.reload()
    finish(page, 2)
    page.locator("#items button").first.click()
    expect(page.locator("#verdict")).to_be_visible()
    expect(page.locator("#result")).to_contain_text("The image itself is not kept.")
    expect(page.locator("#viewer")).to_be_hidden()
    page.click("#clear")
    expect(page.locator("#queue")).to_be_hidden()
    page.reload()
    expect(page.locator("#queue")).to_be_hidden()


def test_another_tab_starts_with_an_empty_session(page: Page, phantoms: list[Path]):
    page.goto("/")
    send(page, phantoms[0])
    finish(page, 1)
    other = page.context.new_page()
    other.goto("/")
    expect(other.locator("#queue")).to_be_hidden()


def test_answers_can_be_downloaded_as_csv_and_json(
    page: Page, phantoms: list[Path], colour_picture: Path
):
    page.goto("/")
    send(page, phantoms[0], colour_picture)
    finish(page, 2)
    with page.expect_download() as downloading:
        page.click("#json")
    answered, rejected = json.loads(content(downloading.value))
    assert downloading.value.suggested_filename == "covidscan.json"
    assert answered["answer"]["prediction"] == "COVID"
    assert rejected["problem"]["reasons"] == ["colour_photo"]
    with page.expect_download() as downloading:
        page.click("#csv")
    first, second = csv.DictReader(io.StringIO(content(downloading.value)))
    assert first["file"] == phantoms[0].name
    assert float(first["probability_covid"]) == answered["answer"]["probabilities"]["COVID"]
    assert first["vgg16_version"] == "1"
    assert second["file"] == "'=holiday.png", "a spreadsheet must not take the name for a formula"
    assert second["reasons"] == "colour_photo"
    page.locator("#items button").first.click()
    with page.expect_download() as downloading:
        page.click("#download")
    assert [each["name"] for each in json.loads(content(downloading.value))] == [phantoms[0].name]


def test_a_ct_can_be_viewed_with_preset_and_custom_windows(page: Page, series: Path):
    page.goto("/")
    send(page, series)
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#level-label")).to_have_text("Level: -600")
    expect(page.locator("#width-label")).to_have_text("Width: 1500")
    as_lung = mean_grey(page)
    page.select_option("#preset", "mediastinum")
    expect(page.locator("#level-label")).to_have_text("Level: 40")
    expect(page.locator("#width")).to_have_value("400")
    assert mean_grey(page) < as_lung - 10
    page.locator("#level").fill("-900")
    expect(page.locator("#preset")).to_have_value("own")
    expect(page.locator("#level-label")).to_have_text("Level: -900")
    page.select_option("#preset", "image")
    expect(page.locator("#level-label")).to_have_text("Level: -600")


def test_a_file_with_a_voi_lut_is_shown_with_its_full_range(page: Page, tmp_path: Path):
    table = look_up_table(np.arange(4096, dtype=np.uint16), first=0, bits=12)
    file = tmp_path / "table.dcm"
    file.write_bytes(make_dicom(Modality="CR", VOILUTSequence=table))
    page.goto("/")
    send(page, file)
    expect(page.locator("#picture")).to_be_visible()
    expect(page.locator("#preset")).to_have_value("range")
    expect(page.locator("#preset")).not_to_contain_text("The image's window")


def test_dragging_the_mouse_changes_level_and_width(page: Page, series: Path):
    page.goto("/")
    send(page, series)
    picture = page.locator("#picture")
    expect(picture).to_be_visible()
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + 40
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y + 20, steps=5)
    page.mouse.up()
    expect(page.locator("#preset")).to_have_value("own")
    expect(page.locator("#width-label")).not_to_have_text("Width: 1500")
    expect(page.locator("#level-label")).not_to_have_text("Level: -600")


@pytest.mark.parametrize("context_options", [{}, PHONE], ids=["desktop", "phone"])
def test_an_image_can_be_zoomed_within_its_frame(page: Page, phantoms: list[Path]):
    page.goto("/")
    send(page, phantoms[0])
    expect(page.locator("#picture")).to_be_visible()
    width = "id => document.getElementById(id).getBoundingClientRect().width"
    before = page.evaluate(width, "picture")
    page.click("#zoom-in")
    assert page.evaluate(width, "picture") == pytest.approx(1.5 * before, rel=0.01)
    assert page.evaluate(width, "stage-frame") <= before + 20
    page.click("#zoom-reset")
    expect(page.locator("#zoom-reset")).to_be_disabled()
    assert page.evaluate(width, "picture") == pytest.approx(before, rel=0.01)


def test_another_frame_can_be_predicted(page: Page, series: Path):
    page.goto("/")
    send(page, series)
    expect(page.locator("#result")).to_contain_text("frame 2 of 3")
    expect(page.locator("#frame")).to_have_value("2")
    middle = mean_grey(page)
    page.fill("#frame", "3")
    page.click("text=Predict this frame")
    expect(page.locator("#result")).to_contain_text("frame 3 of 3")
    expect(page.locator("#picture")).to_be_visible()
    assert mean_grey(page) > middle
    expect(page.locator("#items button")).to_have_count(1)


def test_the_viewer_shows_a_tiff_which_browsers_cannot_display(page: Page, tmp_path: Path):
    file = tmp_path / "slice.tiff"
    assert cv2.imwrite(str(file), (ct_pixels(96, 128) // 8 % 256).astype(np.uint8))
    page.goto("/")
    send(page, file)
    expect(page.locator("#picture")).to_have_js_property("width", 128)


def test_the_report_is_one_page_with_the_image_the_answers_and_the_versions(
    page: Page, phantoms: list[Path]
):
    page.goto("/")
    send(page, phantoms[0])
    expect(page.locator("#picture")).to_be_visible()
    page.evaluate("window.print = () => document.body.setAttribute('data-printed', 'yes')")
    page.click("#print")
    expect(page.locator("body")).to_have_attribute("data-printed", "yes")
    paper = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == 1
    page.emulate_media(media="print")
    for hidden in ("#upload", "#queue", "#print", "#preset", "header"):
        expect(page.locator(hidden)).to_be_hidden()
    shown = page.locator("main").inner_text()
    for text in (
        "Report",
        phantoms[0].name,
        "SHA-256",
        "Answered on",
        "version 1",
        "not a medical",
    ):
        assert text in shown
    expect(page.locator("#picture")).to_be_visible()


def test_an_unreachable_service_is_reported_in_plain_words(page: Page, phantoms: list[Path]):
    page.goto("/")
    page.context.route("**/*", lambda route: route.abort())
    send(page, phantoms[0])
    expect(page.locator("#problem")).to_contain_text("The service could not be reached.")
    expect(page.locator("#items button")).to_contain_text("failed")
