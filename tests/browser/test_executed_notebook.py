"""Executed notebooks as they open from the Dagster UI: by a link, readable, and without a way to the UI's GraphQL."""

import re
from collections.abc import Callable

import dagster as dg
import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Page, expect

from ml_assets.notebooks.running.executed import executed_path
from ml_assets.notebooks.running.page import sandboxed
from ml_assets.orchestration.recorded.facts import asset_key
from ml_assets.project.answers.notebook import write_html
from tests.browser.home import Home
from tests.browser.screen import DESKTOP, PHONE, Screen, follow

pytestmark = pytest.mark.slow

MODEL = "shop/gift/model"
#: How wide a page is, and how far what it shows reaches.
REACH = """() => Math.max(document.documentElement.scrollWidth,
    ...[...document.querySelectorAll("img, svg")].map(shown => shown.getBoundingClientRect().right))"""
#: Whether each line of code that is too long can be scrolled to its end.
SCROLLS = """() => [...document.querySelectorAll(".jp-InputArea-editor pre")]
    .filter(code => code.scrollWidth > code.clientWidth).map(code => getComputedStyle(code).overflowX)"""


def of_success(screen: Screen, home: Home) -> Page:
    """The notebook of a partition that was made, from what is shown of the partition."""
    page = screen.open(f"/assets/{MODEL}?view=partitions&partition={home.evaluated[0]}")
    return linked(page, home.evaluated[0])


def of_failure(screen: Screen, home: Home) -> Page:
    """The notebook that raised, from the events of its run."""
    return linked(screen.open(f"/runs/{home.failed_run()}"), home.failed)


def linked(page: Page, partition: str) -> Page:
    opened = follow(page.locator(f'a[href^="/notebook?"][href*="/{MODEL}/{partition}/"]').first)
    opened.wait_for_load_state()
    return opened


def elsewhere(screen: Screen, home: Home) -> Page:
    """The notebook as a webserver that is not ours shows it, which sends no policy of its own."""
    run = home.run_of(MODEL, home.evaluated[0])
    path = executed_path(home.team.project.executed_root, MODEL, home.evaluated[0], run)
    shell = nbformat.reads(sandboxed(path.read_bytes(), title="a notebook").decode(), as_version=4)
    body, _ = HTMLExporter().from_notebook_node(shell)
    page = screen.open("/favicon.png")

    # nbconvert's own scripts are fetched from the Internet.
    bare = re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)
    page.route("**/elsewhere", lambda route: route.fulfill(content_type="text/html", body=bare))
    page.goto(f"{home.server.url}/elsewhere")
    return page


def exported(screen: Screen, home: Home) -> Page:
    """The notebook as an exported file, which somebody serves beside the UI."""
    run = home.run_of(MODEL, home.evaluated[0])
    file = home.team.home / "exported.html"
    write_html(executed_path(home.team.project.executed_root, MODEL, home.evaluated[0], run), file)
    page = screen.open("/favicon.png")
    page.route("**/exported", lambda route: route.fulfill(content_type="text/html", body=file.read_text("utf-8")))
    page.goto(f"{home.server.url}/exported")
    return page


@pytest.mark.parametrize("opened", [of_success, of_failure, elsewhere, exported])
def test_it_opens_and_nothing_in_it_acts(screen: Screen, home: Home, opened: Callable[[Screen, Home], Page]) -> None:
    page = opened(screen, home)
    address = page.url
    # Where the server is not ours, the notebook is in a frame of the page.
    shown = page.frame_locator("iframe").first if opened is elsewhere else page
    expect(shown.get_by_role("heading", name="Gifts")).to_be_visible()
    expect(shown.get_by_text(f"no gift in {home.failed}")).to_have_count(1 if opened is of_failure else 0)
    expect(shown.locator("#verdict")).to_have_text("nothing ran")
    # Playwright waits for ever for what the form would lead to, where a policy alone keeps it.
    shown.locator("#ask input").click(no_wait_after=True)
    page.wait_for_timeout(1000)
    assert [url for url in screen.asked if "from=notebook" in url or not url.startswith(home.server.url)] == []
    assert page.url == address
    blocked = screen.take_blocked()
    assert any("script" in one for one in blocked)
    assert any("from=notebook" in one for one in blocked)


def test_its_page_is_not_of_the_origin_of_the_ui(screen: Screen, home: Home) -> None:
    page = screen.open(address_of(home))
    assert page.evaluate("origin") == "null"
    screen.take_blocked()


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_it_can_be_read(screen: Screen, home: Home, width: int) -> None:
    page = screen.open(address_of(home), width=width)
    expect(page.get_by_role("heading", name="Gifts")).to_be_visible()
    plot = page.locator('img[src^="data:image/png"]')
    assert plot.evaluate("plot => plot.naturalWidth") > 600
    assert page.evaluate(REACH) <= width
    assert set(page.evaluate(SCROLLS)) == {"auto"}
    screen.take_blocked()


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_an_exported_one_can_be_read(screen: Screen, home: Home, width: int) -> None:
    page = exported(screen, home)
    page.set_viewport_size({"width": width, "height": 900})
    expect(page.get_by_role("heading", name="Gifts")).to_be_visible()
    assert page.evaluate(REACH) <= width
    screen.take_blocked()


def test_an_exported_one_is_printed_to_its_end(screen: Screen, home: Home) -> None:
    page = exported(screen, home)
    height = page.evaluate("document.body.scrollHeight")
    printed = page.pdf(width="1280px", height="300px")
    assert printed.count(b"/Type /Page\n") >= height // 300 >= 2
    screen.take_blocked()


def address_of(home: Home) -> str:
    """Where the link of a partition that was made leads to."""
    filters = dg.AssetRecordsFilter(asset_key=asset_key(MODEL), asset_partitions=[home.evaluated[0]])
    made = home.instance.fetch_materializations(filters, limit=1).records[0].asset_materialization
    assert made is not None
    link = made.metadata["executed notebook"]
    assert isinstance(link, dg.UrlMetadataValue)
    return str(link.url)
