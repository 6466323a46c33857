"""The browser of this machine, and the home that it looks at."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser.home import Home, made_home

#: Debian's, and what others call it.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = 1280, 390


def browser_here() -> str | None:
    """The program of the browser; None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """One for all tests of a worker, which leave in it what they launch."""
    if browser_here() is None:
        pytest.skip(NO_BROWSER)
    with made_home(tmp_path_factory.mktemp("browser") / "shop") as home:
        yield home
