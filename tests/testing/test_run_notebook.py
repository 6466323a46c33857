"""The fixture `run_notebook` refuses what it cannot run, before a kernel is started."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ml_assets.domain.declared.event_log import Marker, Table, Watermark
from ml_assets.notebooks.order import StepOrder
from ml_assets.notebooks.reading import OrderReader
from ml_assets.project.project import Project
from ml_assets.testing import run_notebook as module
from ml_assets.testing.run_notebook import RunNotebook

SHOWN = pd.DataFrame(
    {
        "impression_id": [1, 2, 3],
        # The first and the last moment of 1 January in Tokyo, and the first of the next day.
        "event_time": pd.to_datetime(
            ["2025-12-31T15:00Z", "2026-01-01T14:59:59.999999Z", "2026-01-01T15:00Z"], format="ISO8601"
        ),
        "ingested_at": pd.to_datetime(["2026-01-01T15:00Z"] * 3),
    }
)
LOGS = {"ads/impressions": SHOWN, "ads/conversions": SHOWN}
TABLE = pd.DataFrame({"label": [0, 1]})


@pytest.fixture(autouse=True)
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where a kernel would be started."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a kernel would be started")

    monkeypatch.setattr(module, "run_on_order", refuse)


def refused(run: Callable[..., Any], message: str, *arguments: Any, **named: Any) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        run(*arguments, **named)


def test_the_project_is_the_one_that_pytest_runs_in(ml_assets_project: Project, pytestconfig: pytest.Config) -> None:
    assert ml_assets_project.root == pytestconfig.rootpath
    assert "ads/cvr" in ml_assets_project.models
    assert pytestconfig.rootpath not in ml_assets_project.home.parents


def test_an_unknown_asset_is_refused_with_those_that_there_are(run_notebook: RunNotebook) -> None:
    refused(
        run_notebook,
        "'ads/cvr/metrics' is no asset of a model (did you mean 'ads/cvr/metrics_7d'?); there are ",
        "ads/cvr/metrics",
    )
    refused(run_notebook, "ads/cvr/metrics_1d, ", "ads/cvr/metrics")


def test_a_partition_that_the_model_does_not_have_is_refused(run_notebook: RunNotebook) -> None:
    refused(run_notebook, "2026-13-01", "ads/cvr/training_data", "2026-13-01", logs=LOGS)


@pytest.mark.parametrize("given", [None, {"ads/impressions": SHOWN}, {**LOGS, "ads/clicks": SHOWN}])
def test_logs_other_than_those_that_the_asset_reads_are_refused(
    given: dict[str, Any] | None, run_notebook: RunNotebook
) -> None:
    said = "ads/cvr/training_data reads the logs ['ads/conversions', 'ads/impressions']; the test gives "
    refused(run_notebook, f"{said}{sorted(given or {})}", "ads/cvr/training_data", logs=given)


def test_logs_of_an_asset_that_reads_none_are_refused(run_notebook: RunNotebook) -> None:
    said = "ads/cvr/model reads the logs []; the test gives ['ads/conversions', 'ads/impressions']"
    refused(run_notebook, said, "ads/cvr/model", inputs={"training_data": TABLE}, logs=LOGS)


@pytest.mark.parametrize("given", [None, {"evaluation_data": TABLE}, {"model": TABLE, "training_data": TABLE}])
def test_inputs_other_than_those_of_the_asset_are_refused(
    given: dict[str, Any] | None, run_notebook: RunNotebook
) -> None:
    said = "ads/cvr/metrics_1d has the inputs ['evaluation_data', 'model']; the test gives "
    refused(run_notebook, f"{said}{sorted(given or {})}", "ads/cvr/metrics_1d", inputs=given)


def test_inputs_of_an_asset_that_has_none_are_refused(run_notebook: RunNotebook) -> None:
    said = "ads/cvr/training_data has the inputs []; the test gives ['model']"
    refused(run_notebook, said, "ads/cvr/training_data", logs=LOGS, inputs={"model": TABLE})


@pytest.mark.parametrize(
    "rows",
    [SHOWN.drop(columns="event_time"), SHOWN.assign(event_time=SHOWN["event_time"].dt.tz_localize(None))],
    ids=["no time", "no time zone"],
)
def test_rows_of_a_log_without_instants_are_refused(rows: pd.DataFrame, run_notebook: RunNotebook) -> None:
    said = "the rows of ads/conversions need a column 'event_time' of instants with a time zone; they have {'impr"
    refused(run_notebook, said, "ads/cvr/training_data", logs={**LOGS, "ads/conversions": rows})


def test_columns_whose_names_are_no_text_are_refused(run_notebook: RunNotebook) -> None:
    said = "the columns [5] have names that are no text"
    refused(
        run_notebook,
        said,
        "ads/cvr/model",
        inputs={"training_data": TABLE.assign(other=1).rename(columns={"other": 5})},
    )
    rows = SHOWN.assign(other=1).rename(columns={"other": 5})
    refused(run_notebook, said, "ads/cvr/training_data", logs={**LOGS, "ads/conversions": rows})


def test_a_configuration_that_would_not_arrive_as_it_is_is_refused(run_notebook: RunNotebook) -> None:
    said = "config.weights: {1: 0.5} is not accepted; keys that are text"
    refused(run_notebook, said, "ads/cvr/model", inputs={"training_data": TABLE}, config={"weights": {1: 0.5}})


@pytest.mark.parametrize("given", [None, "frames.parquet", [1, 2]])
def test_what_is_no_table_is_refused(given: Any, run_notebook: RunNotebook) -> None:
    with pytest.raises(TypeError, match=f"{type(given).__name__} is no table: pandas or Spark frames are"):
        run_notebook("ads/cvr/model", inputs={"training_data": given})


def test_a_table_with_a_column_named_predict_is_a_table(run_notebook: RunNotebook, tmp_path: Path) -> None:
    table = TABLE.assign(predict=0.5)
    with pytest.raises(AssertionError, match="a kernel would be started"):
        run_notebook("ads/cvr/model", inputs={"training_data": table})
    (file,) = tmp_path.rglob("data.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(file), table)


def test_each_row_of_a_log_goes_into_the_partition_of_its_event_time(run_notebook: RunNotebook, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="a kernel would be started"):
        run_notebook("ads/cvr/evaluation_data_1d", "2025-12-31", logs=LOGS)
    files = sorted(tmp_path.rglob("ads/impressions/*/*.parquet"))
    # The window of one day, and no others.
    assert [file.parent.name for file in files] == ["date=2026-01-01"]
    assert pd.read_parquet(files[0])["impression_id"].tolist() == [1, 2]
    outcomes = sorted(tmp_path.rglob("ads/conversions/*/*.parquet"))
    rows = {file.parent.name: pd.read_parquet(file)["impression_id"].tolist() for file in outcomes}
    assert rows == {"date=2026-01-01": [1, 2], "date=2026-01-02": [3]}


def test_text_ids_of_a_log_without_rows_meet_those_of_the_other(run_notebook: RunNotebook, tmp_path: Path) -> None:
    """Of such a column pandas writes no type."""
    shown = SHOWN.assign(impression_id=["a", "b", "c"])
    for empty in LOGS:
        logs = {log: shown.iloc[:0] if log == empty else shown for log in LOGS}
        with pytest.raises(AssertionError, match="a kernel would be started"):
            run_notebook("ads/cvr/evaluation_data_1d", "2025-12-31", logs=logs)
    found = []
    for file in sorted(tmp_path.rglob("order.json")):
        order = StepOrder.model_validate_json(file.read_text(encoding="utf-8"))
        assert order.examples is not None
        found.append(OrderReader(order.examples, pytest.fail).examples()["label"].tolist())
    assert found == [[], [0, 0]]


def test_each_run_has_a_folder_of_its_own(run_notebook: RunNotebook, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(AssertionError, match="a kernel would be started"):
            run_notebook("ads/cvr/model", inputs={"training_data": TABLE})
    assert sorted(path.name for path in (tmp_path / "notebooks").iterdir()) == ["run-1", "run-2"]


def test_a_log_that_is_a_table_is_read_from_files_as_the_others(ml_assets_project: Project) -> None:
    model = ml_assets_project.models["ads/cvr"]
    watermark = Watermark("select now()", "NOT_SET")
    in_table = replace(model.exposures, location="", table=Table("shown", "NOT_SET"), arrival=watermark)
    found = module._read_from_files(replace(model, exposures=in_table)).exposures
    assert (found.table, found.location, found.arrival) == (None, "ads/impressions", Marker())
