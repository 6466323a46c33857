"""The whole loop on real clicks and purchases: the real daemon, sensors, notebooks; labels against brute force."""

import itertools
import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from ml_assets.orchestration.recorded.lineage import current_runs, trace
from ml_assets.project.answers.results import Judgement, judgements
from tests.support.projects import REPOSITORY, TeamProject

SAMPLE = REPOSITORY.parent / "shared" / "data" / "taobao_userbehavior_sample" / "UserBehavior.parquet"
SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST, LAST = pd.Timestamp("2017-11-25", tz=SHANGHAI), pd.Timestamp("2017-12-03", tz=SHANGHAI)
KEYS = ["user_id", "item_id"]

LOG = """
type: ml_assets.EventLog
attributes:
  key: shop/{name}
  location: shop/{name}
  partitions: {{every: day, start: "2017-11-25", end: "2017-12-06", timezone: Asia/Shanghai}}
  lookahead: 6d
  columns: {{time: event_time, key: [event_id]}}
"""
MODEL = """
type: ml_assets.EvaluatedModel
attributes:
  name: shop/purchase
  exposures: shop/clicks
  outcomes: shop/purchases
  join: {entity: [user_id, item_id]}
  training: {window: 3d, attribution: 1d}
  evaluation: {window: 1d, horizons: [1d, 3d, 5d]}
  config: {features: [category_id, hour], categorical: [category_id], rounds: 20}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SAMPLE.exists(), reason=f"the Taobao sample is not there ({SAMPLE.name} in shared/data)"),
]


def read_events() -> pd.DataFrame:
    events = pd.read_parquet(SAMPLE)
    events["event_time"] = pd.to_datetime(events["timestamp"], unit="s", utc=True)
    events["hour"] = events["event_time"].dt.tz_convert(SHANGHAI).dt.hour
    events["event_id"] = range(len(events))
    return events


def write_log(team: TeamProject, name: str, events: pd.DataFrame) -> None:
    """Write each local day; the stray rows of earlier months stay in the first day's file."""
    days = events["event_time"].dt.tz_convert(SHANGHAI).dt.normalize().clip(lower=FIRST)
    for day in pd.date_range(FIRST, LAST):
        rows = events[days == day].drop(columns=["behavior_type", "timestamp"])
        team.write_partition(f"shop/{name}", day.strftime("%Y-%m-%d"), rows)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> TeamProject:
    logs = LOG.format(name="clicks") + "---" + LOG.format(name="purchases")
    team = TeamProject.make(
        tmp_path_factory.mktemp("taobao"), "taobao_shop", {"shop/logs": logs, "shop/purchase": MODEL}
    )
    events = read_events()
    write_log(team, "clicks", events[events["behavior_type"] == "pv"])
    write_log(team, "purchases", events[events["behavior_type"] == "buy"])
    with team.daemon():
        team.settle("shop", seconds=900)
    return team


def brute_force(start: pd.Timestamp, end: pd.Timestamp, outcomes_end: pd.Timestamp, within: timedelta) -> pd.DataFrame:
    """Label every click in [start, end) by looking at each purchase of the same user and item, one by one."""
    events = read_events()
    clicks = events[(events["behavior_type"] == "pv") & events["event_time"].between(start, end, inclusive="left")]
    bought = events[
        (events["behavior_type"] == "buy") & events["event_time"].between(start, outcomes_end, inclusive="left")
    ]
    purchases = {key: list(group) for key, group in bought.groupby(KEYS)["event_time"]}
    labels = [
        int(
            any(
                row.event_time < time < row.event_time + within
                for time in purchases.get((row.user_id, row.item_id), ())
            )
        )
        for row in clicks.itertuples()
    ]
    return pd.DataFrame({"event_id": clicks["event_id"].to_numpy(), "label": labels})


def stored(team: TeamProject, asset: str, partition: str) -> pd.DataFrame:
    project = team.project
    run_id = current_runs(project.instance, asset)[partition]
    return pd.read_parquet(project.store.folder(asset, partition, run_id) / "data.parquet")


def assert_same_labels(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    found = found[["event_id", "label"]].sort_values("event_id").reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected.sort_values("event_id").reset_index(drop=True), check_dtype=False)


def cutoff(partition: str) -> pd.Timestamp:
    return pd.Timestamp(partition, tz=SHANGHAI) + timedelta(days=1)


def partitions(team: TeamProject, asset: str) -> list[str]:
    return sorted(current_runs(team.project.instance, asset))


def test_exactly_the_mature_partitions_are_made(team: TeamProject) -> None:
    assert partitions(team, "shop/purchase/model") == [
        f"2017-{day}" for day in ("11-27", "11-28", "11-29", "11-30", "12-01", "12-02", "12-03")
    ]
    assert partitions(team, "shop/purchase/metrics_1d") == [
        "2017-11-27",
        "2017-11-28",
        "2017-11-29",
        "2017-11-30",
        "2017-12-01",
    ]
    assert partitions(team, "shop/purchase/metrics_3d") == ["2017-11-27", "2017-11-28", "2017-11-29"]
    assert partitions(team, "shop/purchase/metrics_5d") == ["2017-11-27"]


def test_every_training_label_equals_brute_force(team: TeamProject) -> None:
    for partition in partitions(team, "shop/purchase/training_data"):
        end = cutoff(partition)
        expected = brute_force(end - timedelta(days=3), end, end, timedelta(days=1))
        found = stored(team, "shop/purchase/training_data", partition)
        assert_same_labels(found, expected)
        age = (end - found["event_time"]).dt.total_seconds()
        assert (found["label_age"] == age).all()
        assert (found["mature"] == (age >= 86_400)).all()
        assert found["label"].sum() > 0


@pytest.mark.parametrize("days", [1, 3, 5])
def test_every_evaluation_label_equals_brute_force(team: TeamProject, days: int) -> None:
    within = timedelta(days=days)
    for partition in partitions(team, f"shop/purchase/evaluation_data_{days}d"):
        start = cutoff(partition)
        end = start + timedelta(days=1)
        expected = brute_force(start, end, end + within, within)
        found = stored(team, f"shop/purchase/evaluation_data_{days}d", partition)
        assert_same_labels(found, expected)
        assert found["mature"].all()


def test_the_model_is_trained_on_the_mature_examples_alone(team: TeamProject) -> None:
    project = team.project
    for partition, run_id in current_runs(project.instance, "shop/purchase/model").items():
        examples = stored(team, "shop/purchase/training_data", partition)
        folder = project.store.folder("shop/purchase/model", partition, run_id)
        trained = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
        assert trained["training"]["rows"] == examples["mature"].sum() < len(examples)
        assert trained["training"]["positives"] == examples.loc[examples["mature"], "label"].sum()


def test_stray_rows_of_earlier_months_reach_no_window(team: TeamProject) -> None:
    strays = read_events().query("event_time < @FIRST")["event_id"]
    assert len(strays) == 35
    assert not stored(team, "shop/purchase/training_data", "2017-11-27")["event_id"].isin(strays).any()


def test_labels_grow_with_the_horizon(team: TeamProject) -> None:
    positives = {
        (days, partition): stored(team, f"shop/purchase/evaluation_data_{days}d", partition)["label"].sum()
        for days in (1, 3, 5)
        for partition in partitions(team, f"shop/purchase/metrics_{days}d")
    }
    assert all(positives[1, day] < positives[3, day] for days, day in positives if days == 3)
    assert positives[3, "2017-11-27"] < positives[5, "2017-11-27"]


def test_each_metric_names_the_model_run_that_it_judged(team: TeamProject) -> None:
    project = team.project
    model_runs = current_runs(project.instance, "shop/purchase/model")
    results: list[Judgement] = judgements(project, project.models["shop/purchase"])
    assert len(results) == 9
    assert all(result.model_run == model_runs[result.partition] for result in results)


def test_the_lineage_of_a_metric_reaches_the_event_partitions(team: TeamProject) -> None:
    project = team.project
    lineage = trace(project.instance, project.store, "shop/purchase/metrics_3d", "2017-11-28")
    assert lineage.problems == ()
    assert lineage.root is not None
    by_asset = {link.asset: link for link in [*lineage.root.inputs, *lineage.root.inputs[1].inputs]}
    evaluation = by_asset["shop/purchase/evaluation_data_3d"].artifact.manifest["events"]
    assert sorted(evaluation["shop/clicks"]) == ["2017-11-29"]
    assert sorted(evaluation["shop/purchases"]) == ["2017-11-29", "2017-11-30", "2017-12-01", "2017-12-02"]
    training = by_asset["shop/purchase/training_data"].artifact.manifest["events"]
    assert sorted(training["shop/clicks"]) == ["2017-11-26", "2017-11-27", "2017-11-28"]


def test_executed_notebooks_are_kept_per_partition_and_run(team: TeamProject) -> None:
    run_id = current_runs(team.project.instance, "shop/purchase/model")["2017-11-27"]
    executed = Path(team.home / "notebooks" / "shop/purchase/model" / "2017-11-27" / f"{run_id}.ipynb")
    text = executed.read_text(encoding="utf-8")
    assert "image/png" in text


def test_at_most_one_evaluation_of_a_model_runs_at_a_time(team: TeamProject) -> None:
    records = team.project.instance.get_run_records()
    evaluations = sorted(
        (record.start_time, record.end_time)
        for record in records
        if any("evaluation_data" in key.path[-1] for key in record.dagster_run.asset_selection or ())
    )
    assert len(evaluations) > 1
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(evaluations))
