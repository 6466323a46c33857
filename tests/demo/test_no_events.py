"""What a home that has no events is greeted with."""

from pathlib import Path

import pytest

from ml_assets.demo.no_events import describe_no_events
from ml_assets.demo_services import CHECKOUT
from ml_assets.project.home import prepare_home
from ml_assets.project.project import Project
from tests.support import shop
from tests.support.projects import TeamProject


def test_the_demo_says_what_writes_its_events(tmp_path: Path) -> None:
    home = prepare_home(tmp_path / "home")
    log = home / "events/ads/impressions"
    line = describe_no_events(Project(home, CHECKOUT))
    assert line is not None
    assert line.startswith(f"no event log has any events yet: they are expected in files such as {log}/date=")
    assert line.endswith("/*.parquet; `make demo` writes those of the demo")
    assert "\n" not in line


def test_a_team_is_told_where_its_own_are_expected_until_there_are_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = TeamProject.make(tmp_path, "greeted_shop", shop.DEFS)
    expected = team.home / "events/shop/visits/date=2026-03-01/*.parquet"
    line = describe_no_events(team.project)
    assert line == f"no event log has any events yet: they are expected in files such as {expected}"
    (team.home / "events/shop/visits").mkdir(parents=True)
    assert describe_no_events(team.project) == line, "an empty folder holds none"
    (team.home / "events/shop/visits/date=2026-03-01").mkdir()
    assert describe_no_events(team.project) is None
    monkeypatch.setenv("ML_ASSETS_STORAGE", "s3://bucket/team")
    assert describe_no_events(team.project) is None, "the sensors say so where a look takes long"
