"""The whole loop on hourly logs and a daily model, where clocks change: days of 23 hours, windows of more than 100 partitions."""

from datetime import date, datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from ml_assets.domain.windows import evaluation_windows, needed
from ml_assets.orchestration.recorded.lineage import current_runs, trace
from tests.support.projects import TeamProject

pytestmark = pytest.mark.slow

BERLIN = ZoneInfo("Europe/Berlin")
START = pd.Timestamp("2026-03-22", tz=BERLIN)
END = pd.Timestamp("2026-03-31", tz=BERLIN)
LOG = """
type: ml_assets.EventLog
attributes:
  key: web/{name}
  location: web/{name}
  partitions: {{every: hour, start: "2026-03-22", end: "2026-03-31", timezone: Europe/Berlin}}
  lookahead: 48h
  columns: {{time: event_time, key: [visit]}}
"""
MODEL = """
type: ml_assets.EvaluatedModel
attributes:
  name: web/order
  exposures: web/visits
  outcomes: web/orders
  join: {id: [visit]}
  partitions: {every: day}
  training: {window: 5d, attribution: 24h}
  evaluation: {window: 1d, horizons: [24h]}
  config: {features: [device], rounds: 10}
"""


def visits() -> pd.DataFrame:
    """A visit each three minutes of elapsed time."""
    times = pd.date_range(START, END, freq="3min", inclusive="left").tz_convert("UTC").as_unit("us")
    rng = np.random.default_rng(4)
    device = rng.choice(["phone", "desktop"], len(times))
    return pd.DataFrame({"visit": np.arange(len(times)), "event_time": times, "device": device})


def orders(shown: pd.DataFrame) -> pd.DataFrame:
    """A tenth of the visits order, some of them within minutes of the end of the 24 hours."""
    rng = np.random.default_rng(5)
    ordered = shown[rng.random(len(shown)) < np.where(shown["device"] == "phone", 0.05, 0.2)]
    delay = pd.to_timedelta(rng.integers(1, 26 * 3600, len(ordered)), unit="s")
    found = ordered.assign(event_time=ordered["event_time"] + delay)[["visit", "event_time"]]
    return found[found["event_time"] < END]


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    logs = LOG.format(name="visits") + "---" + LOG.format(name="orders")
    team = TeamProject.make(tmp_path_factory.mktemp("web"), "hourly_web", {"web/logs": logs, "web/order": MODEL})
    shown = visits()
    for name, rows in (("visits", shown), ("orders", orders(shown))):
        hours = rows["event_time"].dt.floor("h")
        for hour in pd.date_range(START, END, freq="h", inclusive="left"):
            # As Hive and Spark write a colon.
            key = quote(hour.strftime("%Y-%m-%d-%H:%M%z"), safe="+")
            folder = team.home / f"events/web/{name}/hour={key}"
            folder.mkdir(parents=True)
            rows[hours == hour.tz_convert("UTC")].to_parquet(folder / "part-0.parquet", index=False)
            (folder / "_SUCCESS").touch()
    with team.daemon():
        team.settle("web", seconds=900)
    return team


def partitions(team: TeamProject, asset: str) -> list[str]:
    return sorted(current_runs(team.project.instance, asset))


def stored(team: TeamProject, asset: str, partition: str) -> pd.DataFrame:
    run_id = current_runs(team.project.instance, asset)[partition]
    return pd.read_parquet(team.project.store.folder(asset, partition, run_id) / "data.parquet")


def test_exactly_the_mature_days_are_made(team: TeamProject) -> None:
    assert partitions(team, "web/order/model") == [f"2026-03-{day}" for day in (26, 27, 28, 29, 30)]
    # The exposures of the 29th need the orders up to the last hour of the 30th, those of the 30th more than there is.
    assert partitions(team, "web/order/metrics_24h") == [f"2026-03-{day}" for day in (26, 27, 28)]


def test_the_day_of_23_hours_has_the_exposures_of_23_hours(team: TeamProject) -> None:
    rows = {day: len(stored(team, "web/order/evaluation_data_24h", f"2026-03-{day}")) / 20 for day in (26, 27, 28)}
    assert rows == {26: 24, 27: 24, 28: 23}


def test_a_horizon_of_24_hours_reaches_one_hour_further_where_an_hour_is_missing(team: TeamProject) -> None:
    model = team.project.models["web/order"]
    windows = evaluation_windows(model, model.partitions.index_of("2026-03-27"), model.evaluation.horizons[0])
    assert windows.observed_until == datetime(2026, 3, 30, 1, tzinfo=BERLIN)
    calendar = model.outcomes.partitions
    assert calendar.key(needed(model, windows)["web/orders"][-1]) == "2026-03-30-00:00+0200"


def test_every_label_equals_brute_force(team: TeamProject) -> None:
    shown = visits()
    ordered = dict(orders(shown)[["visit", "event_time"]].itertuples(index=False))
    for day in (26, 27, 28):
        start = pd.Timestamp(date(2026, 3, day + 1), tz=BERLIN)
        of_day = shown[shown["event_time"].between(start, start + pd.DateOffset(days=1), inclusive="left")]
        expected = {
            row.visit: int(row.visit in ordered and ordered[row.visit] < row.event_time + timedelta(hours=24))
            for row in of_day.itertuples()
        }
        found = stored(team, "web/order/evaluation_data_24h", f"2026-03-{day}")
        assert dict(zip(found["visit"], found["label"], strict=True)) == expected
        assert 0 < sum(expected.values()) < len(expected)


def test_windows_of_more_than_100_partitions_keep_their_lineage(team: TeamProject) -> None:
    for day, hours in ((26, 120), (29, 119)):
        lineage = trace(team.project.instance, team.project.store, "web/order/training_data", f"2026-03-{day}")
        assert lineage.root is not None
        assert {log: len(of) for log, of in lineage.root.artifact.manifest["events"].items()} == {
            "web/visits": hours,
            "web/orders": hours,
        }
        assert len(stored(team, "web/order/training_data", f"2026-03-{day}")) == 20 * hours


def test_a_correction_of_one_hour_evaluates_again_what_reads_it_alone(team: TeamProject) -> None:
    tick = team.project.look(["web"])
    assert tick.launches == []
    folder = team.home / f"events/web/orders/hour={quote('2026-03-27-05:00+0100', safe='+')}"
    rows = pd.read_parquet(folder / "part-0.parquet")
    rows.iloc[1:].to_parquet(folder / "part-0.parquet", index=False)
    tick = team.project.look(["web"])
    assert [arrival[:2] for arrival in tick.arrivals] == [("web/orders", "2026-03-27-05:00+0100")]
    assert [(launch.request.assets, launch.request.partitions) for launch in tick.launches] == [
        (("web/order/evaluation_data_24h",), ("2026-03-26",))
    ]
    # Of 119 or 120 event partitions one has changed: every training that read it is outdated, and stays as it is.
    outdated = [
        name for name, one in tick.found["web/order"]["web/order/training_data"].items() if one.state == "outdated"
    ]
    assert outdated == [f"2026-03-{day}" for day in (27, 28, 29, 30)]
