"""Pages of the Dagster UI in a real browser: what a person who opens them sees."""

import pytest
from playwright.sync_api import expect

from tests.browser.home import Home
from tests.browser.screen import Screen, follow

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


def test_the_error_of_a_failed_partition_is_one_click_from_its_page(screen: Screen, home: Home) -> None:
    page = screen.open(f"/assets/shop/gift/model?view=partitions&partition={home.failed}")
    page.get_by_text("View logs").click()
    expect(page.get_by_text(f"no gift in {home.failed}").first).to_be_visible()


def test_the_model_that_a_metric_judged_is_one_click_from_it(screen: Screen, home: Home) -> None:
    partition = home.evaluated[0]
    page = screen.open(f"/assets/shop/order/metrics_1d?view=partitions&partition={partition}")
    for label in ("training data window, exposures", "git commit"):
        expect(page.get_by_text(label, exact=True)).to_be_visible()
    model = follow(page.locator('a[href^="/assets/shop/order/model?"]').first)
    expect(model.get_by_text("Latest materialization")).to_be_visible()
    expect(model.get_by_text(home.run_of("shop/order/model", partition)[:8]).first).to_be_visible()


def test_the_list_of_runs_shows_their_partitions_and_no_digest(screen: Screen, home: Home) -> None:
    page = screen.open("/runs")
    expect(page.get_by_text("partitions: 20").first).to_be_visible()
    assert page.get_by_text("ml_assets/").count() == page.get_by_text("ml_assets/backfill").count()


def test_a_schedule_says_what_it_repairs(screen: Screen, home: Home) -> None:
    page = screen.open("/automation")
    page.get_by_text("shop__order__repair").click()
    expect(page.get_by_text('group:"shop/order"').first).to_be_visible()
    expect(page.get_by_text("Tries again what is missing or failed of the last 7d, at most 5 runs.")).to_be_visible()


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
