"""The whole loop on real recommendations and clicks, with the click model's own notebooks.

The sample of Open Bandit holds a random policy's recommendations of 7 days, each with its click or none.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ml_assets.models.saved import load_model
from ml_assets.orchestration.recorded.lineage import current_runs
from ml_assets.project.answers.results import judgements
from tests.support.projects import REPOSITORY, TeamProject

SAMPLE = REPOSITORY.parent / "shared" / "data" / "open_bandit_small" / "random" / "men" / "men.csv.gz"
DECLARED = REPOSITORY / "ml_assets" / "defs" / "fashion" / "click" / "defs.yaml"
DAYS = pd.date_range("2019-11-24", "2019-11-30", tz="UTC")

LOG = """
type: ml_assets.EventLog
attributes:
  key: fashion/{name}
  location: fashion/{name}
  partitions: {{every: day, start: "2019-11-24", end: "2019-12-01", timezone: UTC}}
  lookahead: 2d
  columns: {{time: event_time, key: [recommendation_id]}}
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not SAMPLE.exists(), reason="the Open Bandit sample is not there (open_bandit_small in shared/data)"
    ),
]


def read_sample() -> pd.DataFrame:
    """The recommendations under our names; `affinity` is that of the user to the item shown."""
    sample = pd.read_csv(SAMPLE, index_col=0)
    affinities = sample.filter(regex=r"^user-item_affinity_\d+$")
    affinities.columns = affinities.columns.str.removeprefix("user-item_affinity_").astype(int)
    kept = ["item_id", "position", "click", "propensity_score", *(f"user_feature_{number}" for number in range(4))]
    return sample[kept].assign(
        recommendation_id=range(len(sample)),
        event_time=pd.to_datetime(sample["timestamp"], utc=True),
        affinity=affinities.to_numpy()[np.arange(len(sample)), affinities.columns.get_indexer(sample["item_id"])],
    )


def write_logs(team: TeamProject, sample: pd.DataFrame) -> None:
    """Both logs of each day. The data has clicks without a time: they are said to come a second later."""
    clicks = sample.loc[sample["click"] == 1, ["recommendation_id", "event_time"]]
    clicks = clicks.assign(event_time=clicks["event_time"] + pd.Timedelta("1s"))
    for name, rows in (("recommendations", sample.drop(columns="click")), ("clicks", clicks)):
        for day in DAYS:
            of_day = rows[rows["event_time"].dt.normalize() == day]
            team.write_partition(f"fashion/{name}", day.strftime("%Y-%m-%d"), of_day)


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return read_sample()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, sample: pd.DataFrame) -> TeamProject:
    # As declared, but for a window that leaves a day of this week to judge.
    declared = yaml.safe_load(DECLARED.read_text(encoding="utf-8"))
    declared["attributes"]["training"]["window"] = "5d"
    logs = LOG.format(name="recommendations") + "---" + LOG.format(name="clicks")
    # Two models are enough, one of which is judged.
    declared["attributes"]["partitions"] = {"every": "day", "end": "2019-11-30"}
    defs = {"fashion/logs": logs, "fashion/click": yaml.safe_dump(declared)}
    team = TeamProject.make(tmp_path_factory.mktemp("fashion"), "bandit_shop", defs)
    write_logs(team, sample)
    team.make_due("fashion")
    return team


def folder(team: TeamProject, step: str, partition: str) -> Path:
    asset = f"fashion/click/{step}"
    run_id = current_runs(team.project.instance, asset)[partition]
    return team.project.store.folder(asset, partition, run_id)


def stored(team: TeamProject, step: str, partition: str) -> pd.DataFrame:
    return pd.read_parquet(folder(team, step, partition) / "data.parquet")


def partitions(team: TeamProject, step: str) -> list[str]:
    return sorted(current_runs(team.project.instance, f"fashion/click/{step}"))


def test_exactly_the_mature_partitions_are_made(team: TeamProject) -> None:
    assert partitions(team, "model") == ["2019-11-28", "2019-11-29"]
    assert partitions(team, "metrics_1h") == ["2019-11-28"]


@pytest.mark.parametrize(
    ("step", "partition", "first", "last"),
    [
        ("training_data", "2019-11-28", "2019-11-24", "2019-11-28"),
        ("training_data", "2019-11-29", "2019-11-25", "2019-11-29"),
        ("evaluation_data_1h", "2019-11-28", "2019-11-29", "2019-11-29"),
    ],
)
def test_labels_are_the_clicks_of_the_rows(
    team: TeamProject, sample: pd.DataFrame, step: str, partition: str, first: str, last: str
) -> None:
    shown = sample[sample["event_time"].dt.strftime("%Y-%m-%d").between(first, last)]
    found = stored(team, step, partition).set_index("recommendation_id").sort_index()
    assert shown["click"].sum() > 0
    assert found.index.tolist() == shown["recommendation_id"].tolist()
    assert found["label"].tolist() == shown["click"].tolist()
    for column in ("position", "item_id", "user_feature_2", "affinity"):
        assert found[column].tolist() == shown[column].tolist()


def test_the_stored_model_reads_the_position_and_predicts_as_many_clicks_as_it_was_taught(team: TeamProject) -> None:
    for partition in partitions(team, "model"):
        model, examples = load_model(folder(team, "model", partition)), stored(team, "training_data", partition)
        features = [f"user_feature_{number}" for number in range(4)]
        assert model.columns == ["position", "item_id", *features, "affinity"]
        mature = examples[examples["mature"]]
        predicted = model.predict(mature)
        assert predicted.mean() == pytest.approx(mature["label"].mean(), rel=1e-4)
        for position, rows in mature.assign(predicted=predicted).groupby("position"):
            assert rows["predicted"].mean() == pytest.approx(rows["label"].mean(), rel=0.25), position
        assert (model.predict(mature.assign(position=1)) != predicted).any()


def test_the_metric_names_the_model_run_that_it_judged_and_is_of_its_predictions(
    team: TeamProject, sample: pd.DataFrame
) -> None:
    project = team.project
    (result,) = judgements(project, project.models["fashion/click"])
    assert result.model_run == current_runs(project.instance, "fashion/click/model")["2019-11-28"]
    examples = stored(team, "evaluation_data_1h", "2019-11-28")
    predicted = load_model(folder(team, "model", "2019-11-28")).predict(examples)
    assert result.metrics.loc["calibration_ratio", "value"] == pytest.approx(predicted.sum() / examples["label"].sum())
    assert result.metrics["comparable"].all()


def test_each_position_is_reported(team: TeamProject) -> None:
    numbers = json.loads((folder(team, "metrics_1h", "2019-11-28") / "manifest.json").read_text(encoding="utf-8"))[
        "numbers"
    ]
    examples = stored(team, "evaluation_data_1h", "2019-11-28")
    shown = examples["position"].value_counts()
    assert {position: numbers[f"position_{position}_examples"] for position in (1, 2, 3)} == shown.to_dict()
    assert numbers["position_1_predicted"] == numbers["position_1_predicted_at_first"]
    assert numbers["position_2_predicted"] != numbers["position_2_predicted_at_first"]
