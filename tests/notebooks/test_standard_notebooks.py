"""Whole notebooks on small frames, by the fixture `run_notebook`: their artifacts and numbers against a count by hand.

Each run starts a kernel, so each test asserts all that its runs show.
"""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.metrics import log_loss, roc_auc_score

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.examples import fashion
from ml_assets.examples.fashion_model import ClickConfig, fit, position_effects
from ml_assets.models.gbdt import GbdtConfig, train
from ml_assets.notebooks.running.run import NotebookError
from ml_assets.testing.run_notebook import RunNotebook
from tests.support import shop
from tests.support.projects import TeamProject
from tests.support.spark import JAVA, NO_JAVA

pytestmark = pytest.mark.slow

#: The end of the partition 2026-01-02: midnight in Tokyo.
CUTOFF = pd.Timestamp("2026-01-03", tz="Asia/Tokyo").tz_convert("UTC").as_unit("us")
FEATURES = {"campaign": "search", "device": "mobile", "hour": 9, "user_id": 7}


def after(text: str) -> pd.Timestamp:
    """The instant so long after the cutoff, or before it: `-21d`, `6d 23h`."""
    return CUTOFF + pd.Timedelta(text)


def log_of(rows: dict[int, pd.Timestamp], late: dict[int, str] | None = None, **columns: Any) -> pd.DataFrame:
    """A log's rows by impression; those of `late` became known so long after they happened, the others at once."""
    known = [time + pd.Timedelta((late or {}).get(key, "1min")) for key, time in rows.items()]
    frame = pd.DataFrame({"impression_id": list(rows), "event_time": list(rows.values()), "ingested_at": known})
    return frame.astype(dict.fromkeys(("event_time", "ingested_at"), "datetime64[us, UTC]")).assign(**columns)


def labels(table: pd.DataFrame) -> dict[int, tuple[int, bool]]:
    """`label` and `mature` by impression."""
    return {row.impression_id: (row.label, row.mature) for row in table.itertuples()}


def test_training_data_has_labels_as_they_were_known_at_the_cutoff(run_notebook: RunNotebook, spark: Any) -> None:
    shown = {
        1: after("-21d") - pd.Timedelta("1us"),  # before the window of 21 days
        2: after("-21d"),
        3: after("-10d"),
        4: after("-10d"),
        5: after("-9d"),
        6: after("-7d"),  # the whole attribution of 7 days is seen
        7: after("-6d 23h"),  # 6 days and 23 hours before: an hour is still to come
        8: after("-2d"),
        9: after("-2d"),
        10: after("0d"),  # the first moment of what is judged
    }
    sold = {
        1: after("-20d"),
        3: after("-8d"),
        4: after("-2d"),  # 8 days later: not within the attribution
        5: after("-3d"),  # known too late
        8: after("-1d"),
        9: after("1h"),  # still to come
        10: after("1h"),
    }
    logs = {"ads/impressions": log_of(shown, **FEATURES), "ads/conversions": log_of(sold, {5: "3d 2h"}, value=1.0)}
    run = run_notebook("ads/cvr/training_data", "2026-01-02", logs=logs)
    assert labels(run.table) == {
        2: (0, True),
        3: (1, True),
        4: (0, True),
        5: (0, True),
        6: (0, True),
        7: (0, False),
        8: (1, False),
        9: (0, False),
    }
    assert run.numbers == {"rows": 8, "positives": 2, "mature_rows": 5, "positive_rate": 0.25}
    assert run.data_version == hash_frame(run.table)
    frames = {key: spark.createDataFrame(rows) for key, rows in logs.items()}
    by_spark = run_notebook("ads/cvr/training_data", "2026-01-02", logs=frames)
    assert by_spark.data_version == run.data_version
    assert_frame_equal(by_spark.table, run.table)


def test_evaluation_data_lies_after_the_cutoff_and_its_labels_are_final(run_notebook: RunNotebook) -> None:
    shown = {
        1: after("-1s"),  # training's
        2: after("0d"),
        3: after("1h"),
        4: after("23h"),
        5: after("24h"),  # the next day's
    }
    sold = {1: after("1h"), 2: after("6d 23h"), 3: after("7d 2h"), 4: after("2d"), 5: after("2d")}
    # One of them became known after months: what is judged waits for the newest knowledge.
    logs = {"ads/impressions": log_of(shown, **FEATURES), "ads/conversions": log_of(sold, {4: "90d"}, value=1.0)}
    run = run_notebook("ads/cvr/evaluation_data_7d", "2026-01-02", logs=logs)
    assert labels(run.table) == {2: (1, True), 3: (0, True), 4: (1, True)}
    assert run.numbers == {"rows": 3, "positives": 2, "mature_rows": 3, "positive_rate": 2 / 3}


@pytest.fixture(scope="module")
def examples() -> pd.DataFrame:
    """Labelled examples of an advertising log: desktops convert, and of the immature all do."""
    rng = np.random.default_rng(11)
    device = rng.choice(["mobile", "desktop"], 600)
    mature = rng.random(600) < 0.7
    return pd.DataFrame(
        {
            "campaign": rng.choice(["search", "video"], 600),
            "device": device,
            "hour": rng.integers(0, 24, 600),
            "user_id": rng.integers(0, 20, 600),
            "label": np.where(mature, rng.random(600) < np.where(device == "desktop", 0.5, 0.1), 1).astype("int8"),
            "mature": mature,
        }
    )


CONFIG = {"features": ["campaign", "device", "hour", "user_id"], "categorical": ["user_id"], "rounds": 20}


def test_the_model_is_trained_on_mature_rows_alone(
    run_notebook: RunNotebook, examples: pd.DataFrame, spark: Any
) -> None:
    run = run_notebook("ads/cvr/model", inputs={"training_data": examples}, config=CONFIG)
    mature = examples[examples["mature"]]
    rows, positives = len(mature), int(mature["label"].sum())
    assert run.numbers == {
        "rows": rows,
        "positives": positives,
        "mature_rows": rows,
        "positive_rate": positives / rows,
        "immature_rows": 600 - rows,
    }
    expected = train(mature, GbdtConfig.from_mapping(CONFIG)).predict(examples)
    assert run.load_model().predict(examples).tolist() == expected.tolist()
    by_spark = run_notebook("ads/cvr/model", inputs={"training_data": spark.createDataFrame(examples)}, config=CONFIG)
    assert by_spark.data_version == run.data_version
    assert by_spark.numbers == run.numbers


def test_metrics_are_those_of_the_model_s_predictions(run_notebook: RunNotebook, examples: pd.DataFrame) -> None:
    trained = run_notebook("ads/cvr/model", inputs={"training_data": examples})
    lacking = int((examples["hour"] == 0).sum())
    examples = examples.assign(hour=examples["hour"].where(examples["hour"] > 0))
    judged = run_notebook("ads/cvr/metrics_7d", inputs={"evaluation_data": examples, "model": trained})
    note = f"{lacking} of 600 rows lack `hour`, which training never lacked"
    with pytest.warns(UserWarning, match=note):
        predictions = trained.load_model().predict(examples)
    assert judged.numbers["hour_note"] == note
    assert judged.numbers["rows"] == 600
    assert judged.numbers["log_loss"] == pytest.approx(log_loss(examples["label"], predictions), rel=1e-12)
    assert judged.numbers["roc_auc"] == pytest.approx(roc_auc_score(examples["label"], predictions), rel=1e-12)
    assert judged.numbers["log_loss_low"] < judged.numbers["log_loss"] < judged.numbers["log_loss_high"]
    assert judged.table.set_index("metric").loc["log_loss", "value"] == judged.numbers["log_loss"]
    assert judged.table["comparable"].all()


@pytest.mark.parametrize(
    ("config", "rows", "error", "cell"),
    [
        (CONFIG, slice(0, 0), "ValueError.*there are no training rows", "model = train(rows, config, weight=weight)"),
        ({"features": ["weather"]}, slice(None), "weather", "model = train(rows, config, weight=weight)"),
    ],
    ids=["no rows", "a feature that is no column"],
)
def test_a_notebook_that_fails_names_its_cell(
    config: dict[str, Any], rows: slice, error: str, cell: str, run_notebook: RunNotebook, examples: pd.DataFrame
) -> None:
    with pytest.raises(NotebookError, match=error) as raised:
        run_notebook("ads/cvr/model", inputs={"training_data": examples.iloc[rows]}, config=config)
    assert f"\n    {cell}\n" in str(raised.value)


@pytest.fixture(scope="module")
def recommendations() -> pd.DataFrame:
    """Two simulated days of recommendations, labelled; of every tenth the outcome is still to come."""
    days = [fashion.simulate_day(date(2026, 1, day), seed=3, pages_per_day=400) for day in (1, 2)]
    shown = pd.concat([of_day[0] for of_day in days], ignore_index=True)
    clicked = pd.concat([of_day[1] for of_day in days])["recommendation_id"]
    return shown.assign(
        label=shown["recommendation_id"].isin(clicked).astype("int8"), mature=np.arange(len(shown)) % 10 > 0
    )


def test_the_click_model_reports_what_each_position_adds(
    run_notebook: RunNotebook, recommendations: pd.DataFrame
) -> None:
    run = run_notebook("fashion/click/model", inputs={"training_data": recommendations})
    mature = recommendations[recommendations["mature"]]
    config = ClickConfig(
        categorical=["position", "item_id", *(f"user_feature_{number}" for number in range(4))], numeric=["affinity"]
    )
    model = fit(mature, config)
    assert run.numbers["rows"] == len(mature)
    assert run.numbers["positives"] == mature["label"].sum()
    assert run.numbers["immature_rows"] == len(recommendations) - len(mature)
    effects = [run.numbers[f"position_{position}_effect"] for position in (1, 2, 3)]
    assert effects == pytest.approx(position_effects(model).tolist())
    assert effects[0] == 0 > effects[2]
    found = run.load_model().predict(recommendations)
    assert found == pytest.approx(model.predict_proba(recommendations[config.features])[:, 1])


def test_the_metrics_of_clicks_are_those_of_each_position_too(
    run_notebook: RunNotebook, recommendations: pd.DataFrame
) -> None:
    model = fit(recommendations.head(1200), ClickConfig(categorical=["position", "item_id"]))
    judged = recommendations.tail(900)
    run = run_notebook("fashion/click/metrics_1h", inputs={"evaluation_data": judged, "model": model})
    predictions = model.predict_proba(judged[["position", "item_id"]])[:, 1]
    assert run.numbers["log_loss"] == pytest.approx(log_loss(judged["label"], predictions), rel=1e-12)
    for position, rows in judged.assign(predicted=predictions).groupby("position"):
        assert run.numbers[f"position_{position}_examples"] == len(rows)
        assert run.numbers[f"position_{position}_clicks"] == rows["label"].sum()
        assert run.numbers[f"position_{position}_predicted"] == pytest.approx(rows["predicted"].mean())
    third = judged.loc[judged["position"] == 3, ["position", "item_id"]]
    at_first = model.predict_proba(third.assign(position=1))[:, 1].mean()
    assert run.numbers["position_3_predicted_at_first"] == pytest.approx(at_first)


RATES = """\
# %%
from pyspark.sql import functions as F

visits = step.read("training_data", frame="spark")
rates = visits.groupBy("device").agg(
    F.count("*").alias("visits"), F.avg("label").alias("order_rate"), F.max("event_time").alias("last_visit")
)

# %%
step.save(rates.orderBy("device"))
step.report(devices=rates.count())
"""


@pytest.mark.skipif(not JAVA, reason=NO_JAVA)
def test_a_notebook_that_works_in_spark_saves_what_pandas_computes(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = "notebooks/shop/rates.ipynb"
    model = f"{shop.DEFS['shop/order']}  notebooks: {{model: {path}}}\n"
    team = TeamProject.make(tmp_path_factory.mktemp("spark"), "spark_shop", {**shop.DEFS, "shop/order": model})
    team.write_notebook(path, RATES)
    visits = shop.visits(shop.FIRST)
    visits = visits.assign(label=np.random.default_rng(5).integers(0, 2, len(visits)).astype("int8"))
    run = RunNotebook(team.project, tmp_path)("shop/order/model", inputs={"training_data": visits})
    expected = visits.groupby("device", as_index=False).agg(
        visits=("label", "size"), order_rate=("label", "mean"), last_visit=("event_time", "max")
    )
    assert_frame_equal(run.table, expected.astype({"last_visit": "datetime64[us, UTC]"}))
    assert run.numbers == {"devices": 2}
    assert run.data_version == hash_frame(run.table)
