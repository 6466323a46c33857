"""The whole loop on real invoices: a weekly model on daily logs, purchases and their returns, days on which the shop is closed.

History features are made of real rows, too; labels and features are held against brute force.
"""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from ml_assets.orchestration.recorded.lineage import current_runs, trace
from ml_assets.project.answers.results import judgements, maturity_curve
from tests.support.projects import REPOSITORY, TeamProject

SAMPLE = REPOSITORY.parent / "shared" / "data" / "uci_online_retail" / "online_retail.parquet"
LONDON = ZoneInfo("Europe/London")
FIRST, LAST = date(2010, 12, 1), date(2011, 2, 15)

LOG = """
type: ml_assets.EventLog
attributes:
  key: retail/{name}
  location: retail/{name}
  partitions: {{every: day, start: "2010-12-01", end: "2011-02-16", timezone: Europe/London}}
  lookahead: 37d
  columns: {{time: event_time, key: [line]}}
"""
MODEL = """
type: ml_assets.EvaluatedModel
attributes:
  name: retail/returned
  exposures: retail/purchases
  outcomes: retail/returns
  join: {entity: [customer, stock_code]}
  partitions: {every: week}
  training: {window: 3w, attribution: 7d}
  evaluation: {window: 1w, horizons: [7d, 30d]}
  history:
    - {log: retail/purchases, window: 7d, by: [customer], features: {lines_7d: count, spend_7d: sum(amount), last_price: last(price)}}
  config: {features: [quantity, price, country, lines_7d, spend_7d, last_price], rounds: 20}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SAMPLE.exists(), reason=f"the retail log is not there ({SAMPLE.name} in shared/data)"),
]


def read_lines() -> pd.DataFrame:
    raw = pd.read_parquet(SAMPLE)
    lines = pd.DataFrame(
        {
            "line": np.arange(len(raw)),
            "event_time": pd.to_datetime(raw["InvoiceDate"]).dt.tz_localize(LONDON).dt.tz_convert("UTC"),
            "invoice": raw["InvoiceNo"],
            "customer": raw["CustomerID"],
            "stock_code": raw["StockCode"],
            "quantity": raw["Quantity"],
            "price": raw["UnitPrice"],
            "amount": raw["Quantity"] * raw["UnitPrice"],
            "country": raw["Country"],
        }
    ).dropna(subset="customer")
    return lines.assign(
        customer=lines["customer"].astype("int64"), day=lines["event_time"].dt.tz_convert(LONDON).dt.date
    )


def purchases(lines: pd.DataFrame) -> pd.DataFrame:
    return lines[~lines["invoice"].str.startswith(("C", "A"))]


def returns(lines: pd.DataFrame) -> pd.DataFrame:
    return lines[lines["invoice"].str.startswith("C")]


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    return read_lines()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, lines: pd.DataFrame) -> TeamProject:
    logs = LOG.format(name="purchases") + "---" + LOG.format(name="returns")
    defs = {"retail/logs": logs, "retail/returned": MODEL}
    team = TeamProject.make(tmp_path_factory.mktemp("retail"), "retail_shop", defs)
    for name, rows in (("purchases", purchases(lines)), ("returns", returns(lines))):
        of_day = dict(list(rows.groupby("day")))
        for day in pd.date_range(FIRST, LAST).date:
            if day in of_day:
                team.write_partition(f"retail/{name}", day.isoformat(), of_day[day].drop(columns="day"))
            else:
                folder = team.home / f"events/retail/{name}/date={day.isoformat()}"
                folder.mkdir(parents=True)
                (folder / "_SUCCESS").touch()
    team.make_due("retail")
    return team


def stored(team: TeamProject, asset: str, partition: str) -> pd.DataFrame:
    run_id = current_runs(team.project.instance, asset)[partition]
    return pd.read_parquet(team.project.store.folder(asset, partition, run_id) / "data.parquet")


def partitions(team: TeamProject, asset: str) -> list[str]:
    return sorted(current_runs(team.project.instance, asset))


def cutoff(partition: str) -> pd.Timestamp:
    return pd.Timestamp(partition, tz=LONDON) + pd.DateOffset(weeks=1)


def test_exactly_the_mature_weeks_are_made(team: TeamProject) -> None:
    # A week of history before three weeks of training: the first cutoff is the 29th of December.
    weeks = [
        "2010-12-22",
        "2010-12-29",
        "2011-01-05",
        "2011-01-12",
        "2011-01-19",
        "2011-01-26",
        "2011-02-02",
        "2011-02-09",
    ]
    assert partitions(team, "retail/returned/model") == weeks
    assert partitions(team, "retail/returned/metrics_7d") == weeks[:6]
    assert partitions(team, "retail/returned/metrics_30d") == weeks[:2]


def test_closed_days_have_arrived_as_empty_ones(team: TeamProject, lines: pd.DataFrame) -> None:
    open_days = set(purchases(lines)["day"])
    assert not {date(2010, 12, 25), date(2011, 1, 1), date(2011, 1, 8)} & open_days
    lineage = trace(team.project.instance, team.project.store, "retail/returned/evaluation_data_7d", "2010-12-22")
    assert lineage.root is not None
    read = lineage.root.artifact.manifest["events"]["retail/purchases"]
    closed = [day for day in read if date.fromisoformat(day) not in open_days]
    assert len(closed) >= 6
    assert {"2010-12-29", "2011-01-01"} <= set(closed)


@pytest.mark.parametrize("days", [7, 30])
def test_every_label_equals_brute_force(team: TeamProject, lines: pd.DataFrame, days: int) -> None:
    returned = {key: list(rows) for key, rows in returns(lines).groupby(["customer", "stock_code"])["event_time"]}
    for partition in partitions(team, f"retail/returned/evaluation_data_{days}d"):
        start = cutoff(partition)
        end, within = start + pd.DateOffset(weeks=1), timedelta(days=days)
        shown = purchases(lines)
        shown = shown[shown["event_time"].between(start, end, inclusive="left")]
        expected = {
            row.line: int(
                any(
                    row.event_time < t < row.event_time + within
                    for t in returned.get((row.customer, row.stock_code), ())
                )
            )
            for row in shown.itertuples()
        }
        found = stored(team, f"retail/returned/evaluation_data_{days}d", partition)
        assert dict(zip(found["line"], found["label"], strict=True)) == expected
        assert found["mature"].all()


def test_more_is_returned_within_a_month_than_within_a_week(team: TeamProject) -> None:
    for partition in partitions(team, "retail/returned/metrics_30d"):
        week, month = (
            stored(team, f"retail/returned/evaluation_data_{days}d", partition)["label"].sum() for days in (7, 30)
        )
        assert week < month


def test_history_equals_brute_force_and_ends_before_the_exposure(team: TeamProject, lines: pd.DataFrame) -> None:
    found = stored(team, "retail/returned/evaluation_data_7d", "2010-12-29")
    assert (found["feature_time"] < found["event_time"]).sum() > 100
    assert not (found["feature_time"] >= found["event_time"]).any()
    bought = purchases(lines)
    by_customer = dict(list(bought.groupby("customer")))
    for row in found.sample(300, random_state=0).itertuples():
        rows = by_customer[row.customer]
        before = rows[
            (rows["event_time"] < row.event_time) & (rows["event_time"] >= row.event_time - timedelta(days=7))
        ]
        assert row.lines_7d == len(before)
        if len(before):
            assert row.spend_7d == pytest.approx(before["amount"].sum())
            assert row.feature_time == before["event_time"].max()
        else:
            assert np.isnan(row.spend_7d)
            assert pd.isna(row.feature_time)


def test_the_maturity_curve_holds_the_same_models_at_each_horizon(team: TeamProject) -> None:
    results = judgements(team.project, team.project.models["retail/returned"])
    curve = maturity_curve(results, "base_rate")
    assert list(curve.columns) == ["7d", "30d"]
    assert list(curve.index.get_level_values("partition")) == ["2010-12-22", "2010-12-29"]
    assert (curve["7d"] < curve["30d"]).all()


def test_what_was_read_is_on_record(team: TeamProject, lines: pd.DataFrame) -> None:
    lineage = trace(team.project.instance, team.project.store, "retail/returned/training_data", "2011-01-05")
    assert lineage.root is not None
    reads = {(read["log"], read["role"]): read for read in lineage.root.artifact.manifest["reads"]}
    end = cutoff("2011-01-05")
    rows = purchases(lines)
    of_window = rows[rows["event_time"].between(end - pd.DateOffset(weeks=3), end, inclusive="left")]
    exposures = reads["retail/purchases", "exposures"]
    assert exposures["rows"] == len(of_window)
    assert pd.Timestamp(exposures["latest_event"]) == of_window["event_time"].max()
    assert exposures["latest_known"] is None
    assert len(exposures["partitions"]) == 21
    assert len(reads["retail/purchases", "history"]["partitions"]) == 28
    assert ("retail/returns", "outcomes") in reads
