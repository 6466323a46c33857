"""A model is tried on the table that its notebook read, as the metrics will try it on evaluation data."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.data.artifacts.store import ArtifactStore
from ml_assets.data.artifacts.tables import first_rows_of, read_table
from ml_assets.models.delayed_feedback import training_examples
from ml_assets.models.gbdt import GbdtConfig, train
from ml_assets.models.saved import load_model
from ml_assets.notebooks.order import TABLE
from ml_assets.notebooks.step import Step
from ml_assets.notebooks.trained_on import UnfitModelError

Order = Callable[..., Any]
ROWS = 200


def examples() -> pd.DataFrame:
    """Labelled examples with a history that begins with nothing."""
    rng = np.random.default_rng(0)
    time = pd.date_range("2025-12-01", periods=ROWS, freq="h", tz="UTC")
    label = rng.integers(0, 2, ROWS)
    return pd.DataFrame(
        {
            "time": time,
            "hour": time.hour,
            "device": pd.Categorical(rng.choice(["phone", "desktop"], ROWS)),
            "visits": np.where(np.arange(ROWS) < 20, np.nan, rng.poisson(3, ROWS)),
            "label": label,
            "label_age": 864_000.0,
            "outcome_time": (time + pd.Timedelta(hours=1)).where(label == 1),
            "mature": np.arange(ROWS) < 190,
        }
    )


@pytest.fixture
def step(ordered: Order, store: ArtifactStore) -> Step:
    """The step of a model whose training data was made."""
    folder = store.prepare("ads/cvr/training_data", "2026-01-01", "run-0")
    examples().to_parquet(folder / TABLE, index=False)
    store.publish(folder, {"data_version": hash_frame(examples())})
    step: Step = ordered(inputs={"training_data": folder}).step
    return step


def linear(rows: pd.DataFrame, *columns: str) -> Any:
    return LogisticRegression().fit(rows[list(columns)], rows["label"])


def boosted(rows: pd.DataFrame, *columns: str) -> Any:
    return train(rows, GbdtConfig(features=list(columns), rounds=2))


def with_delayed_feedback(rows: pd.DataFrame, *columns: str) -> Any:
    config = GbdtConfig(features=list(columns), rounds=2, examples="all")
    chosen, weight = training_examples(rows, config, pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime())
    return train(chosen, config, weight=weight)


@pytest.mark.parametrize("fit", [linear, boosted, with_delayed_feedback])
def test_a_column_that_the_notebook_made_by_itself_is_named_with_what_to_do(step: Step, fit: Any) -> None:
    rows = step.read("training_data").assign(night=lambda frame: frame["hour"] < 6)
    rows["outcome_time"] = rows["time"].where(rows["label"] == 1) + pd.Timedelta(hours=1)
    rows["label_age"] = (pd.Timestamp("2026-01-01", tz="UTC") - rows["time"]).dt.total_seconds()
    with pytest.raises(UnfitModelError) as raised:
        step.save_model(fit(rows, "hour", "night"))
    words = str(raised.value)
    assert "the model needs the columns ['night'], which training_data does not have, nor will the rows that" in words
    assert "it has ['time', 'hour', 'device', 'visits', 'label'" in words
    assert "make it inside of a Pipeline" in words
    assert "notebooks of your own for training_data and evaluation_data" in words
    # The notebook may go on, as a person does in Jupyter.
    step.save_model(fit(rows, "hour"))


@pytest.mark.parametrize(
    ("change", "columns", "words"),
    [
        (
            {"hour": lambda frame: frame["hour"].astype(str)},
            ["hour"],
            "column 'hour' was fitted on text values and now",
        ),
        ({"device": lambda frame: frame["device"] == "phone"}, ["device"], "column 'device' was fitted on boolean val"),
        ({"time": lambda frame: frame["time"].dt.day}, ["time"], "column 'time' has dtype datetime64"),
    ],
    ids=["numbers as text", "text as booleans", "instants as numbers"],
)
def test_a_type_that_the_notebook_made_by_itself_is_named(step: Step, change: Any, columns: Any, words: str) -> None:
    rows = step.read("training_data").assign(**change)
    with pytest.raises(UnfitModelError, match=f"cannot predict the rows of training_data as they are.*: {words}"):
        step.save_model(boosted(rows, *columns))


def test_categories_of_another_type_are_named_where_an_encoder_would_ignore_them(step: Step) -> None:
    rows = step.read("training_data").astype({"hour": str})
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["hour"]))
    with pytest.raises(UnfitModelError, match="column 'hour' was fitted on text and now holds only values that are no"):
        step.save_model(make_pipeline(encoder, LogisticRegression()).fit(rows, rows["label"]))


@pytest.mark.parametrize("fit", [linear, boosted])
@pytest.mark.parametrize("told", [["label_age"], ["mature", "label_age"]])
def test_a_model_that_would_be_told_the_answer_is_refused(step: Step, fit: Any, told: list[str]) -> None:
    with pytest.raises(UnfitModelError, match=re.escape(f"the model was fitted on {told}, which the outcomes make")):
        step.save_model(fit(step.read("training_data"), "hour", *told))


def test_a_whole_table_of_which_a_transformer_takes_the_features_is_no_answer(step: Step) -> None:
    rows = step.read("training_data")
    chosen = make_column_transformer((OneHotEncoder(), ["hour"]))
    step.save_model(make_pipeline(chosen, LogisticRegression()).fit(rows, rows["label"]))
    assert load_model(step._order.folder).columns == ["hour"]


def test_missing_values_that_the_notebook_filled_by_itself_are_named(step: Step) -> None:
    rows = step.read("training_data").fillna({"visits": 0})
    with pytest.raises(UnfitModelError, match="Input X contains NaN"):
        step.save_model(linear(rows, "visits"))


def late(rows: pd.DataFrame) -> pd.DataFrame:
    """Many rows, of which the last ones alone lack something."""
    many = pd.concat([rows.assign(visits=1.0)] * 10, ignore_index=True)
    return many.assign(visits=many["visits"].where(many.index < 1_950), mature=many.index < 1_960)


def test_missing_values_that_begin_late_are_found(step: Step) -> None:
    late(examples()).to_parquet(step._order.inputs["training_data"] / TABLE, index=False)
    rows = step.read("training_data")
    with pytest.raises(UnfitModelError, match="Input X contains NaN"):
        step.save_model(linear(rows.fillna({"visits": 0}), "visits", "hour"))
    step.save_model(linear(rows, "hour"))


@pytest.mark.parametrize("column", ["visits", "device", "time", "outcome_time"])
def test_of_each_column_the_first_row_that_lacks_it_is_read(column: str, tmp_path: Path) -> None:
    frame = late(examples())
    frame.loc[1_955:, ["device", "time", "outcome_time"]] = None
    frame.to_parquet(tmp_path / TABLE, index=False)
    found = first_rows_of(tmp_path / TABLE, 10, lacking=[column], where="mature")
    first = frame[frame[column].isna() & frame["mature"]].index[0]
    pd.testing.assert_frame_equal(found, frame.loc[[*range(10), first]].reset_index(drop=True))


def test_a_column_of_that_name_that_is_no_boolean_chooses_nothing(step: Step) -> None:
    examples().assign(mature="no").to_parquet(step._order.inputs["training_data"] / TABLE, index=False)
    step.save_model(linear(step.read("training_data"), "hour"))


def test_an_imputer_in_the_pipeline_predicts_a_history_that_is_missing(step: Step, tmp_path: Path) -> None:
    rows = step.read("training_data")
    pipeline = make_pipeline(SimpleImputer(add_indicator=True), LogisticRegression())
    fitted = pipeline.fit(rows[["visits", "hour"]], rows["label"])
    step.save_model(fitted)
    expected = fitted.predict_proba(rows[["visits", "hour"]])[:, 1]
    np.testing.assert_array_equal(load_model(step._order.folder).predict(rows), expected)
    assert rows["visits"].isna().sum() == 20


def test_what_is_known_of_mature_rows_alone_is_no_reason_to_refuse(step: Step) -> None:
    rows = step.read("training_data")
    rows = rows[rows["mature"] & rows["visits"].notna()]
    with pytest.raises(UnfitModelError, match="contains NaN"):
        step.save_model(linear(rows, "visits"))
    young = examples().assign(mature=examples()["visits"].notna())
    young.to_parquet(step._order.inputs["training_data"] / TABLE, index=False)
    step.save_model(linear(rows, "visits"))


def test_a_model_of_a_table_that_the_step_did_not_read_is_left_to_the_metrics(step: Step) -> None:
    step.save_model(linear(examples().assign(night=1), "night"))


def test_the_way_out_for_a_metrics_notebook_of_one_s_own_is_to_save_files(step: Step) -> None:
    rows = step.read("training_data").assign(night=1)
    step.save_files(boosted(rows, "hour", "night").save)


@pytest.mark.parametrize("parts", [False, True])
def test_the_first_rows_of_a_table_are_as_all_of_them(parts: bool, tmp_path: Path) -> None:
    frame = examples().drop(columns="device") if parts else examples()
    path = tmp_path / TABLE
    if parts:
        path.mkdir()
        for number in range(2):
            frame[number * 100 : number * 100 + 100].to_parquet(path / f"part-{number}.parquet", index=False)
    else:
        frame.to_parquet(path, index=False)
    pd.testing.assert_frame_equal(first_rows_of(path, 150), read_table(path)[:150])
