"""Gives a home the days of the demo before anything that stays open reads them."""

from datetime import UTC, datetime
from pathlib import Path

from ml_assets.demo_services import CHECKOUT
from ml_assets.examples import demo_days
from ml_assets.examples.demo_days import DemoDays
from ml_assets.project.home import prepare_home
from ml_assets.project.project import Project


def settle_days(home: Path) -> None:
    """Settle the days where the demo would, if the project at hand declares its logs."""
    project = Project(home.absolute())
    # Where events lie is asked of the project, which takes seconds, for a new home alone.
    if project.root != CHECKOUT or not demo_days.is_new(project.home, project.home / "events"):
        return
    if any(log.service in demo_days.DAYS for log in project.logs.values()):
        DemoDays.settle(prepare_home(project.home), project.events_root, now=datetime.now(UTC))
