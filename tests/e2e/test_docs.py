"""The API documentation works in a browser without internet access."""

from playwright.sync_api import Page, expect


def test_the_docs_page_renders_every_operation(page: Page):
    page.goto("/docs")
    for path in ("/predict", "/predict/batch", "/models", "/healthz", "/readyz"):
        expect(page.locator(f'[data-path="{path}"]')).to_be_visible()


def test_an_operation_shows_its_example_and_its_error_responses(page: Page):
    page.goto("/docs")
    page.locator('[data-path="/predict"]').click()
    operation = page.locator("#operations-prediction-predict_predict_post")
    expect(operation).to_contain_text("agreement")
    for status in ("413", "415", "422", "503", "504"):
        expect(operation.locator(f'tr.response[data-code="{status}"]')).to_be_visible()
