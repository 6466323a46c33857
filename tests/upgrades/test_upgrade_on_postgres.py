"""The steps of an upgrade that docs/production.md tells, on what the oldest release has left in PostgreSQL."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support import shop
from tests.support.postgres import DagsterPostgres
from tests.support.shell import shell
from tests.upgrades.homes import earlier, unpack
from tests.upgrades.make_home import LAST_DAY
from tests.upgrades.on_postgres import ADDED, columns_of, move_into

pytestmark = pytest.mark.slow


def test_the_steps_of_an_upgrade_find_all_of_before_and_go_on(
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
    made = team.command("ml-assets", "backfill", "shop/order/training_data", "--missing")
    assert "made 1 of 1 partitions" in made.stdout, made.stdout + made.stderr
