"""The browser of this machine, and the home that it looks at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.home import Home, made_home
from tests.browser.screen import NO_BROWSER, Screen, browser_here


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One for all tests of a worker, which leave in it what they launch."""
    with made_home(Path(tmp_path_factory.mktemp("browser"), "shop")) as home:
        yield home


# While Playwright's synchronous API is open, no other test of the worker can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of this machine."""
    program = browser_here()
    if program is None:
        pytest.skip(NO_BROWSER)
    with sync_playwright() as playwright:
        # Root may not sandbox processes.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def screen(home: Home, browser: Browser) -> Iterator[Screen]:
    """The screen of a test, which fails when a page has an error in its console."""
    screen = Screen(browser, home.server.url)
    yield screen
    for context in browser.contexts:
        context.close()
    assert screen.errors == []
