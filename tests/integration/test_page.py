"""The page and the docs over HTTP, as for a browser without JavaScript."""

import re
from pathlib import Path

import httpx
import pytest

from api.settings import MEBIBYTE, Settings
from tests.integration.conftest import gateway
from tests.servers import model_server
from tests.service_process import wait_until


def test_the_page_shows_the_upload_form_and_the_models(tiny_service: httpx.Client):
    page = tiny_service.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert 'enctype="multipart/form-data"' in page.text
    for label in ("VGG16", "ResNet50", "Xception"):
        assert label in page.text
    assert "not a medical device" in page.text


def test_an_upload_is_answered_with_the_page_and_the_result(
    tiny_service: httpx.Client, phantom_png: bytes
):
    page = tiny_service.post("/", files={"file": ("slice.png", phantom_png, "image/png")})
    assert page.status_code == 200
    assert page.text.count("<tr data-model=") == 3
    assert 'id="verdict"' in page.text
    assert "slice.png: PNG, 256 " in page.text


@pytest.mark.parametrize(("band", "shown"), [(0.0, False), (0.49, True)])
def test_a_result_near_the_operating_point_shows_the_review_notice(
    tiny_volume: Path, phantom_png: bytes, band: float, shown: bool
):
    # The three models are the same CNN, so they agree on every image.
    with model_server(tiny_volume) as address:
        settings = Settings(
            _env_file=None, model_server=address, models_dir=tiny_volume, review_band=band
        )
        with gateway(settings) as client:
            wait_until(lambda: client.get("/readyz?strict=true").status_code == 200)
            page = client.post("/", files={"file": ("slice.png", phantom_png)})
    assert ('data-notice="review"' in page.text) is shown
    assert ("The ensemble is undecided." in page.text) is shown
    assert "The models disagree." not in page.text


@pytest.mark.parametrize(
    ("files", "status", "title"),
    [
        ({"file": ("x.png", b"no image")}, 415, "Unknown image format"),
        ({"file": ("x.png", b"")}, 422, "No file"),
        ({"other": ("x.png", b"x")}, 422, "No file"),
        ({"file": ("x.png", bytes(33 * MEBIBYTE))}, 413, "Too large"),
    ],
)
def test_a_rejected_upload_is_answered_with_the_page_and_the_problem(
    tiny_service: httpx.Client, files: dict[str, tuple[str, bytes]], status: int, title: str
):
    page = tiny_service.post("/", files=files)
    assert page.status_code == status
    assert title in page.text
    assert 'id="upload"' in page.text


def test_a_file_name_is_escaped(tiny_service: httpx.Client, phantom_png: bytes):
    name = "<script>alert(1)</script>.png"
    page = tiny_service.post("/", files={"file": (name, phantom_png)})
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.png" in page.text


def test_the_page_is_not_cached_and_has_no_inline_scripts_or_styles(tiny_service: httpx.Client):
    page = tiny_service.get("/")
    assert page.headers["cache-control"] == "no-store"
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<script>|<style|style=|\son\w+=", page.text)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_loads_resources_only_from_this_server(tiny_service: httpx.Client, path: str):
    text = tiny_service.get(path).text
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', text)
    assert loaded
    for url in loaded:
        assert url.startswith("/")
        assert tiny_service.get(url).status_code == 200
