"""What this product is used for, from click to click: to find out why a metric is late, what a model was, and to launch."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from tests.browser.home import Home
from tests.browser.screen import Screen
from tests.support import forks

pytestmark = pytest.mark.slow

SERVICE, MODEL = "shop", "order"


@contextmanager
def daemon(home: Home) -> Iterator[None]:
    """The daemon that launches what the UI asks for, meanwhile."""
    team = home.team
    command = ["tests.support.quick_daemon", "run", "--workspace", str(home.workspace)]
    with forks.running(command, cwd=team.root, log=team.home / "daemon.log", env=team.environment):
        yield


def open_model(page: Page) -> None:
    """From any page, the model's group in the tree beside the graph."""
    page.get_by_role("link", name="Lineage").click()
    for name in (SERVICE, MODEL):
        node = page.locator(f'[data-testid="sidebar-node"]:has-text("{name}")').first
        node.click()


def test_from_the_graph_to_a_late_metric_its_cause_its_model_and_a_range_over_the_whole_model(
    screen: Screen, home: Home
) -> None:
    page = screen.open("/")
    open_model(page)
    page.pause()
