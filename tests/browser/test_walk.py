"""What this product is used for, from click to click: why a metric is late, what its model was, and to launch a range."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.home import Home
from tests.browser.screen import Screen, follow
from tests.support import forks

pytestmark = pytest.mark.slow


@contextmanager
def daemon(home: Home) -> Iterator[None]:
    """The daemon that ticks, and launches what the UI asks for, meanwhile."""
    team = home.team
    command = ["tests.support.quick_daemon", "run", "--workspace", str(home.server.workspace)]
    with forks.running(command, cwd=team.root, log=team.home / "daemon.log", env=team.environment):
        yield


def in_tree(page: Page, name: str) -> Locator:
    """What stands in the tree beside the graph."""
    rows = page.locator("[class*=AssetSidebarNode_itemContainer]")
    return rows.filter(has=page.get_by_title(name, exact=True)).first


def open_asset(page: Page, name: str) -> None:
    """From any page to an asset of `shop/order`."""
    page.get_by_text("Lineage", exact=True).first.click()
    for group in ("shop", "order"):
        in_tree(page, group).get_by_label("arrow_drop_down").click()
    page.get_by_title(name, exact=True).first.click()
    page.get_by_text("View in Asset Catalog").click()


def open_partition(page: Page, partition: str) -> None:
    page.get_by_role("tab", name="Partitions").click()
    page.get_by_text(partition, exact=True).first.click()


def test_from_the_graph_to_a_late_metric_why_it_is_late_and_the_notebook_of_its_model(
    screen: Screen, home: Home
) -> None:
    page = screen.open("/")
    with daemon(home):
        open_asset(page, "metrics_1d")
        open_partition(page, home.late)
        expect(page.get_by_text("No metadata entries")).to_be_visible()
        page.get_by_role("tab", name="Overview").click()
        page.get_by_role("link", name="shop_sensor").click()
        page.get_by_role("button", name="0 runs requested").first.click()
        tick = page.get_by_role("dialog")
        expect(tick).to_contain_text(re.compile(rf"order/metrics_1d: .*{home.late}\S* waiting \(.*for shop/orders"))
        tick.get_by_role("button", name="Close").click()
    open_asset(page, "model")
    open_partition(page, home.late)
    notebook = follow(page.locator('a[href^="/notebook?"]').first)
    expect(notebook.get_by_role("heading", name="Model")).to_be_visible()
    screen.take_blocked()


def test_a_range_over_a_whole_model_is_launched_and_followed_to_its_end(screen: Screen, home: Home) -> None:
    page = screen.open("/asset-groups")
    in_tree(page, "shop").get_by_label("arrow_drop_down").click()
    in_tree(page, "order").hover()
    in_tree(page, "order").get_by_label("more_horiz").click()
    page.get_by_text("Materialize assets (4)").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Showing 5 of 5 partitions")).to_be_visible()
    selection = dialog.locator("input[type=text]")
    selection.fill(f"[{home.late}...{home.never_due}]")
    selection.press("Enter")
    dialog.get_by_role("button", name="Launch backfill").click()
    page.get_by_text("View", exact=True).click()
    with daemon(home):
        # Dagster counts what the run has skipped as failed: a metric that is late, and one that is never due.
        for asset, counts in {"model": "2020", "metrics_1d": "2002"}.items():
            row = page.locator("tr, [class*=row]", has=page.get_by_text(f"shop / order / {asset}", exact=True)).last
            expect(row).to_have_text(re.compile(rf"100% completed{counts}$"), timeout=240_000)
    page.get_by_role("tab", name="Runs").click()
    expect(page.get_by_text("Success").first).to_be_visible()
