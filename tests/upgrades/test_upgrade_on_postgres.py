"""The steps of an upgrade that docs/production.md tells, on what the oldest release has left in PostgreSQL."""

import os
import shutil
from pathlib import Path

import pytest

from ml_assets.orchestration.arrival.shown import arrival_records
from tests.support import shop
from tests.support.postgres import DagsterPostgres
from tests.support.shell import shell
from tests.upgrades.homes import earlier, unpack
from tests.upgrades.make_home import LAST_DAY
from tests.upgrades.on_postgres import ADDED, columns_of, move_into

pytestmark = pytest.mark.slow


def test_the_steps_of_an_upgrade_find_all_of_before_and_what_is_due_is_what_arrived_since(
    dagster_postgres: DagsterPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = unpack(earlier()[0], tmp_path / "upgraded", on="postgres", keeps_notebooks=False)
    dagster_postgres.new_home(team.home, monkeypatch)
    url = dagster_postgres.server.url_of(os.environ["DAGSTER_PG_DB"])
    move_into(url, team.home)
    for folder in ("history", "schedules"):
        shutil.rmtree(team.home / folder)
    assert ADDED[1] not in columns_of(url, ADDED[0])
    printed = shell("Upgrade to a release", team, dagster_postgres, tmp_path / "backup")
    assert ADDED[1] in columns_of(url, ADDED[0])
    assert "18 versions are recorded and needed, all of them there; 0 folders or files are extra" in printed
    assert "stale: its notebook or declaration changed" in printed
    for log in ("visits", "orders"):
        shop.arrive(team, log, LAST_DAY + 1, LAST_DAY + 1)
    project = team.project
    arrived = project.look(["shop"])
    assert [arrival[:2] for arrival in arrived.arrivals] == [
        ("shop/visits", "2026-03-09"),
        ("shop/orders", "2026-03-09"),
    ]
    for record in arrival_records(arrived.arrivals, project.logs.values(), project.events_root, arrived.seen):
        project.instance.report_runless_asset_event(record)
    due = [(launch.request.assets, launch.request.partitions) for launch in project.look(["shop"]).launches]
    assert due == [
        (("shop/order/evaluation_data_2d", "shop/order/metrics_2d"), ("2026-03-06",)),
        (("shop/order/training_data", "shop/order/model"), ("2026-03-09",)),
    ]
