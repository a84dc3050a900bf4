"""Opens the page in a real browser, on the real service with the demo models."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, sync_playwright

from tests.service_process import running_service

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = [
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
]
_TIMEOUT_MILLISECONDS = 15_000


@pytest.fixture(scope="session")
def service(demo_models_dir: Path) -> Iterator[str]:
    """The address of the running service."""
    # Other tests run at the same time, and an explanation takes as long as some 190 predictions.
    timeouts = {"request_timeout_seconds": 120, "model_timeout_seconds": 60}
    with running_service(demo_models_dir, **timeouts) as (_, address):
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium that is installed on this machine.

    Each module has its own: as long as Playwright is open, its event loop runs in this thread, and
    a later test could not run another one.
    """
    executable = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if executable is None:
        pytest.skip("no Chromium on this machine; install chromium to run the browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context_options() -> dict[str, object]:
    """Options of the browser context; a test overrides them by parametrisation."""
    return {}


@pytest.fixture
def context(
    browser: Browser, service: str, context_options: dict[str, object]
) -> Iterator[BrowserContext]:
    """A new profile; an error in the browser or a request to another origin fails the test."""
    context = browser.new_context(base_url=service, **context_options)
    context.set_default_timeout(_TIMEOUT_MILLISECONDS)
    external: list[str] = []
    errors: list[str] = []

    def block_external(route: Route) -> None:
        if route.request.url.startswith((service, "data:", "blob:")):
            route.continue_()
        else:
            external.append(route.request.url)
            route.abort()

    context.route("**/*", block_external)
    context.on("weberror", lambda event: errors.append(str(event.error)))
    context.on(
        "console",
        lambda message: (
            errors.append(message.text)
            # The browser reports a 4xx response as an error; tests that expect one check the page.
            if message.type == "error" and "Failed to load resource" not in message.text
            else None
        ),
    )
    yield context
    context.close()
    assert external == []
    assert errors == []


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page; if SCREENSHOTS_DIR names a folder, a screenshot of its final state is saved there."""
    page = context.new_page()
    yield page
    if folder := os.environ.get("SCREENSHOTS_DIR"):
        page.screenshot(path=Path(folder) / f"{request.node.name}.png", full_page=True)
