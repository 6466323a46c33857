"""What a person sees of the Dagster UI: windows of a real browser, and what it says about them."""

import re
import shutil
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, WebError, expect

#: Debian's, and what others call it.
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = f"none of {', '.join(PROGRAMS)} is here; on Debian: apt-get install chromium fonts-dejavu-core"
DESKTOP, PHONE = 1280, 390
#: Where a browser says that a page was kept from what it tried.
BLOCKED = re.compile(
    r"^Blocked (script execution|form submission) |violates the following Content Security Policy directive|"
    r"^Refused to execute the redirect specified via "
)
#: Errors in the console of the Dagster UI that are Dagster's own: there are none.
DAGSTERS: tuple[re.Pattern[str], ...] = ()

# A page of the UI asks several times one after another, on a machine that may be busy.
expect.set_options(timeout=60_000)


@dataclass
class Screen:
    """What a person sees: pages of the UI, and of what opens from there.

    Args: `errors`: what the browser has said in its console; `asked`: the requests that were answered; `kept`: those
    that the browser did not let through.
    """

    browser: Browser
    url: str
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def open(self, path: str, *, width: int = DESKTOP) -> Page:
        """A new window at a path of the UI."""
        context = self.browser.new_context(viewport={"width": width, "height": 900}, locale="en-US")
        context.set_default_timeout(60_000)
        context.on("console", self._hear)
        context.on("weberror", self._hear_uncaught)
        context.on("requestfinished", lambda request: self.asked.append(request.url))
        context.on("requestfailed", self._hear_failed)
        page = context.new_page()
        page.goto(self.url + path)
        return page

    def take_blocked(self) -> list[str]:
        """What the browser has kept pages from, which is then no error."""
        blocked = [error for error in self.errors if BLOCKED.search(error)]
        self.errors = [error for error in self.errors if error not in blocked]
        return blocked

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(known.search(message.text) for known in DAGSTERS):
            self.errors.append(message.text)

    def _hear_uncaught(self, error: WebError) -> None:
        self.errors.append(f"uncaught: {error.error}")

    def _hear_failed(self, request: Request) -> None:
        # Of a page that is left, what it still waits for fails, too.
        if request.failure == "csp":
            self.kept.append(request.url)


def follow(link: Locator) -> Page:
    """What a link opens in a window of its own.

    A pointer must reach it, but it is followed by the keyboard: the log of a run measures its rows while it is scrolled,
    and moves them from under a pointer that is pressed, whose click is then another row's.
    """
    with link.page.expect_popup() as opened:
        link.click(trial=True)
        link.press("Enter")
    return opened.value


def browser_here() -> str | None:
    """The program of the browser; None where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)
