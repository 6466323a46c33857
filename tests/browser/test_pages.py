"""Pages of the Dagster UI in a real browser: what a person who opens them sees."""

import pytest
from playwright.sync_api import expect

from tests.browser.home import Home
from tests.browser.screen import Screen

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["succeeded", "failed", "canceled"])
def test_the_page_of_a_run_shows_its_events(screen: Screen, home: Home, kind: str) -> None:
    succeeded = home.run_of("shop/order/model", home.evaluated[0])
    run, last = {
        "succeeded": (succeeded, "RUN_SUCCESS"),
        "failed": (home.failed_run(), "RUN_FAILURE"),
        "canceled": (home.canceled, "RUN_CANCELED"),
    }[kind]
    page = screen.open(f"/runs/{run}")
    expect(page.get_by_text(last).first).to_be_visible()
    expect(page.get_by_text("Loading run logs")).to_have_count(0)


def test_the_page_of_a_partition_shows_what_it_was_made_of(screen: Screen, home: Home) -> None:
    partition = home.evaluated[0]
    page = screen.open(f"/assets/shop/order/metrics_1d?view=partitions&partition={partition}")
    expect(page.get_by_text("Latest materialization")).to_be_visible()
    expect(page.get_by_text(home.run_of("shop/order/metrics_1d", partition)[:8]).first).to_be_visible()
    expect(page.get_by_text("executed notebook")).to_be_visible()


def test_metrics_are_plotted_by_partition(screen: Screen, home: Home) -> None:
    page = screen.open("/assets/shop/order/metrics_1d?view=overview")
    page.get_by_role("button", name="Plots").click()
    expect(page.get_by_text("Log loss").first).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
