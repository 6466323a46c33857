"""The loop on event logs that are tables of a real PostgreSQL: arrival, training, evaluation, a correction."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import quote

import pandas as pd
import pytest
import sqlalchemy as sa

from ml_assets.orchestration.recorded.lineage import current_runs, versions
from tests.support import shop
from tests.support.postgres import PASSWORD, Postgres, postgres_server
from tests.support.projects import TeamProject

pytestmark = pytest.mark.slow

MODEL, EVALUATION, METRICS = "shop/order/model", "shop/order/evaluation_data_2d", "shop/order/metrics_2d"
#: As text, and as it stands in a URL.
SECRETS = [text.encode() for text in (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""))]
LOG = """
type: ml_assets.EventLog
attributes:
  key: shop/{name}
  table: {{name: warehouse.{name}, url_variable: SHOP_WAREHOUSE_URL}}
  partitions: {{every: day, start: "2026-03-01", end: "2026-03-15", timezone: Europe/Berlin}}
  lookahead: 3d
  columns: {{time: event_time, key: [visit_id]}}
  arrival: {{watermark: {{query: "select complete_until from load_status where log = '{name}'", url_variable: SHOP_WAREHOUSE_URL}}}}
"""


@pytest.fixture(scope="module")
def warehouse() -> Iterator[Postgres]:
    with postgres_server() as server, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SHOP_WAREHOUSE_URL", server.url)
        server.execute("create schema warehouse")
        yield server


def load(warehouse: Postgres, first: int, last: int) -> None:
    """Append the rows of some days of March to both tables, and say that they are complete."""
    engine = sa.create_engine(warehouse.url, poolclass=sa.NullPool)
    for name, rows_of in (("visits", shop.visits), ("orders", shop.orders)):
        frame = pd.concat([rows_of(shop.date(2026, 3, day)) for day in range(first, last + 1)])
        frame.to_sql(name, engine, schema="warehouse", if_exists="append", index=False)
        warehouse.complete(name, (pd.Timestamp(2026, 3, last, tz=shop.ZONE) + timedelta(days=1)).isoformat())


@pytest.fixture(scope="module")
def daemon() -> Iterator[ExitStack]:
    """Whatever runs beside the tests; its `close` ends it."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def team(warehouse: Postgres, daemon: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    """A shop whose tables are complete up to 6 March, with the real daemon."""
    logs = "---".join(LOG.format(name=name) for name in ("visits", "orders"))
    team = TeamProject.make(tmp_path_factory.mktemp("shop"), "table_shop", {**shop.DEFS, "shop/logs": logs})
    load(warehouse, 1, 6)
    return daemon.enter_context(team.daemon())


def times_made(team: TeamProject, asset: str, *days: int) -> list[int]:
    return [len(versions(team.project.instance, asset, f"2026-03-0{day}")) for day in days]


@pytest.fixture(scope="module")
def evaluated(team: TeamProject) -> TeamProject:
    tick = team.settle("shop")
    assert "2026-03-04 for shop/orders 2026-03-07" in tick.message
    return team


def test_what_is_complete_is_trained_and_evaluated(evaluated: TeamProject) -> None:
    instance = evaluated.project.instance
    assert sorted(current_runs(instance, MODEL)) == [f"2026-03-0{day}" for day in (3, 4, 5, 6)]
    assert sorted(current_runs(instance, METRICS)) == ["2026-03-03"]


def test_the_labels_are_those_of_the_tables_rows(evaluated: TeamProject) -> None:
    project = evaluated.project
    (run_id,) = current_runs(project.instance, EVALUATION).values()
    found = pd.read_parquet(project.store.folder(EVALUATION, "2026-03-03", run_id) / "data.parquet")
    visits = shop.visits(shop.date(2026, 3, 4))
    orders = pd.concat([shop.orders(shop.date(2026, 3, day)) for day in (4, 5, 6)])
    late = visits.merge(orders, on="visit_id", suffixes=("", "_order"))
    counted = late[late["event_time_order"] < late["event_time"] + timedelta(days=2)]
    assert set(found["visit_id"]) == set(visits["visit_id"])
    assert set(found.loc[found["label"] == 1, "visit_id"]) == set(counted["visit_id"])
    assert len(counted) > 20


def test_rows_that_come_late_evaluate_again_what_they_touch_and_retrain_nothing(
    evaluated: TeamProject, warehouse: Postgres
) -> None:
    load(warehouse, 7, 7)
    evaluated.settle("shop")
    assert sorted(current_runs(evaluated.project.instance, METRICS)) == ["2026-03-03", "2026-03-04"]
    # 7 March is read by the evaluation of 4 March alone.
    warehouse.execute("delete from warehouse.orders where event_time >= '2026-03-07T12:00Z'")
    evaluated.settle("shop")
    assert times_made(evaluated, METRICS, 3, 4) == [1, 2]
    assert times_made(evaluated, MODEL, 3, 4, 5, 6, 7) == [1] * 5


def test_no_file_of_the_home_holds_the_password(evaluated: TeamProject, daemon: ExitStack) -> None:
    daemon.close()  # Which comes last: it removes files of its databases while they are read.
    files = [path for path in evaluated.root.rglob("*") if path.is_file()]
    assert {".ipynb", ".db", ".log"} <= {path.suffix for path in files}
    assert [path for path in files if any(secret in path.read_bytes() for secret in SECRETS)] == []
