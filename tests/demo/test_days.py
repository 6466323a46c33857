"""A home that is opened before its demo has run shows the days of the demo."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ml_assets.cli import serving
from ml_assets.cli.main import main
from ml_assets.demo.days import settle_days
from ml_assets.examples.demo_days import FILE, DemoDays
from tests.support import shop
from tests.support.projects import TeamProject


def test_the_ui_of_a_new_home_opens_on_the_days_that_a_demo_beside_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[DemoDays] = []
    monkeypatch.setattr(serving.os, "execve", lambda *_: opened.append(DemoDays.of(tmp_path)))
    main(["dev", "--home", str(tmp_path)], standalone_mode=False)
    (days,) = opened
    assert days.anchor is not None
    later = datetime.now(UTC) + timedelta(days=9)
    assert DemoDays.settle(tmp_path, tmp_path / "events", now=later) == days


@pytest.mark.parametrize("log", ["ads/impressions", "shop/visits"])
def test_what_has_events_of_the_demo_keeps_its_days_and_others_count_as_new(tmp_path: Path, log: str) -> None:
    (tmp_path / "events" / log / "date=2026-01-01").mkdir(parents=True)
    settle_days(tmp_path)
    assert (tmp_path / FILE).exists() == (log == "shop/visits")


def test_a_project_without_the_demo_has_no_days_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    team = TeamProject.make(tmp_path, "days_shop", shop.DEFS)
    monkeypatch.chdir(team.root)
    settle_days(team.home)
    assert not (team.home / FILE).exists()
