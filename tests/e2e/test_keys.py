"""The page of a gateway that requires API keys: the browser asks the user for the key once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.http.access.api_keys import create_key
from tests.service_process import running_service

KEY, RECORD = create_key("browser")
WITH_KEY = {"http_credentials": {"username": "anybody", "password": KEY}}
WITH_WRONG_KEY = {"http_credentials": {"username": "anybody", "password": create_key("other")[0]}}


@pytest.fixture(scope="module")
def service(demo_models_dir: Path) -> Iterator[str]:
    """The address of a service that requires API keys."""
    with running_service(demo_models_dir, api_keys=RECORD) as (_, address):
        yield address


@pytest.mark.parametrize("context_options", [WITH_KEY])
def test_the_page_and_the_docs_work_with_the_key_as_password(page: Page, demo_dataset_dir: Path):
    page.goto("/")
    page.set_input_files("#file", demo_dataset_dir / "COVID" / "phantom-0000.png")
    page.click("#submit")
    expect(page.locator("#verdict")).to_contain_text("Looks like COVID-19")
    page.goto("/docs")
    expect(page.locator('[data-path="/predict"]')).to_be_visible()
    expect(page.locator("button.authorize").first).to_be_visible()


@pytest.mark.parametrize("context_options", [WITH_WRONG_KEY])
def test_a_wrong_key_gets_401_instead_of_the_page(page: Page):
    response = page.goto("/")
    assert response is not None
    assert response.status == 401
    expect(page.locator("#upload")).to_have_count(0)
