"""The report's page in a real browser, on a desk and on a phone."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage

from ml_assets.reports.metrics_page import render
from tests.orchestration.conftest import model
from tests.reports.test_metrics_page import judgements

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with charts, a maturity curve and all numbers of a model with a long name."""
    values = {(f"2026-05-{day:02}", horizon): 0.1 + day / 100 for day in range(3, 9) for horizon in ("1d", "3d", "7d")}
    found = [
        replace(one, metrics=one.metrics.assign(low=one.metrics["value"] - 0.05, high=one.metrics["value"] + 0.05))
        for one in judgements(values)
    ]
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(render([(replace(model(), name=f"shop/{'order_' * 12}x"), found)]), encoding="utf-8")
    return file


@pytest.mark.parametrize(("width", "columns"), [(1280, 4), (390, 1)])
def test_the_page_is_legible_without_scrolling_to_the_side(
    width: int, columns: int, page_file: Path, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, is_mobile=width == 390)
    said: list[ConsoleMessage] = []
    page.on("console", lambda message: said.append(message))
    page.goto(page_file.as_uri())
    page.get_by_text("All numbers").click()
    assert page.evaluate("[window.innerWidth, document.documentElement.scrollWidth]") == [width, width]
    charts = [box for image in page.locator("img").all() if (box := image.bounding_box())]
    assert len(charts) == 16
    # Drawn at 259 CSS pixels, with letters of 13.
    assert all(box["width"] > 240 and box["x"] + box["width"] <= width for box in charts)
    assert len({box["x"] for box in charts}) == columns
    numbers = page.locator("table").last
    scrolls = "table => table.parentElement.scrollWidth > table.parentElement.clientWidth"
    assert numbers.evaluate(scrolls) == (width == 390)
    assert not said
    page.close()
