"""Steps as notebooks use them. The context alone is a stand-in: for dagstermill's, which needs a kernel and a run."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.figure import Figure
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.content import hash_files, hash_frame
from ml_assets.data.artifacts.store import ArtifactError, ArtifactStore
from ml_assets.notebooks.code.config_reads import UnseenConfigError
from ml_assets.notebooks.order import (
    TABLE,
    ExamplesOrder,
    FeatureOrder,
    HistoryOrder,
    LogOrder,
    PartitionOrder,
    ReadRecord,
)
from ml_assets.notebooks.step import Step, StepError

Order = Callable[..., Any]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FRAME = pd.DataFrame({"id": [1, 2], "label": np.array([0, 1], dtype=np.int8), "device": ["phone", None]})


def log_order(*files: Path, **changes: Any) -> LogOrder:
    fields: dict[str, Any] = {
        "key": "ads/log",
        "partitions": [PartitionOrder(key="2026-03-01", start=NOON - HOUR, end=NOON + 2 * HOUR, files=list(files))],
        "schema_file": files[0],
        "time": "time",
        "row_key": ["id"],
        "known": "known",
        "deleted": None,
        "start": NOON,
        "end": NOON + 2 * HOUR,
        "known_before": None,
    }
    return LogOrder(**(fields | changes))


@pytest.fixture
def logs(tmp_path: Path) -> tuple[Path, Path]:
    """Three exposures, one outside of the window, and two outcomes, one of them known late."""
    shown, sold = tmp_path / "shown.parquet", tmp_path / "sold.parquet"
    times = pd.DatetimeIndex([NOON - HOUR, NOON, NOON + HOUR])
    pd.DataFrame({"id": [1, 2, 3], "time": times, "known": times}).to_parquet(shown)
    pd.DataFrame({"id": [2, 3], "time": times[1:], "known": [NOON, NOON + 2 * HOUR]}).to_parquet(sold)
    return shown, sold


def examples_order(shown: Path, sold: Path, known_before: datetime | None) -> ExamplesOrder:
    return ExamplesOrder(
        exposures=log_order(shown, known_before=known_before),
        outcomes=log_order(sold, known_before=known_before),
        keys=["id"],
        by_id=True,
        within=HOUR,
        observed_until=NOON + 1.5 * HOUR,
        history=[],
    )


def test_a_step_knows_what_it_was_ordered_to_do(ordered: Order) -> None:
    given = ordered(horizon=timedelta(days=1))
    step = given.step
    assert (step.asset, step.partition) == ("ads/cvr/model", "2026-01-01")
    assert step.cutoff == datetime(2026, 1, 2, tzinfo=UTC)
    assert (step.attribution, step.horizon) == (timedelta(days=7), timedelta(days=1))
    assert step.config == {"features": ["device"], "trees": 50}
    assert step.log is given.log


def test_a_step_finds_the_configuration_that_it_is_known_to_read(ordered: Order) -> None:
    config = ordered(config={"features": ["device"]}, unseen=["trees"]).step.config
    assert config["features"] == ["device"]
    with pytest.raises(
        UnseenConfigError, match="ads/cvr/model does not see the key 'trees' of `config`: by its notebo"
    ):
        config["trees"]


def test_a_step_without_a_horizon_has_none(ordered: Order) -> None:
    assert ordered().step.horizon is None


def test_a_context_without_a_partition_is_told_what_to_write() -> None:
    by_hand = SimpleNamespace(run=SimpleNamespace(tags={}), log=None)
    with pytest.raises(StepError, match="no partition; let the cell tagged `parameters` say"):
        Step.of(by_hand)


@pytest.mark.parametrize(
    ("known_before", "labels"), [(None, {2: 1, 3: 1}), (NOON + 2 * HOUR, {2: 1, 3: 0})], ids=["newest", "as of then"]
)
def test_examples_are_read_from_the_files_and_bounds_of_the_order(
    known_before: datetime | None, labels: dict[int, int], ordered: Order, logs: tuple[Path, Path]
) -> None:
    examples = ordered(examples=examples_order(*logs, known_before)).step.examples()
    assert dict(zip(examples["id"], examples["label"], strict=True)) == labels
    assert examples["mature"].tolist() == [True, False]
    assert examples["label_age"].tolist() == [1.5 * 3600, 0.5 * 3600]


def test_examples_can_be_saved_as_they_are(ordered: Order, logs: tuple[Path, Path]) -> None:
    given = ordered(examples=examples_order(*logs, None))
    examples = given.step.examples()
    given.step.save(examples)
    saved = pd.read_parquet(given.folder / TABLE)
    assert_frame_equal(saved, examples)
    assert given.result.data_version == hash_frame(saved)


def test_a_step_that_reads_no_log_has_no_examples(ordered: Order) -> None:
    step = ordered(inputs={"training_data": Path("somewhere")}).step
    with pytest.raises(StepError, match=r"ads/cvr/model reads no event log; it has the inputs \['training_data'\]"):
        step.examples()


def read_record(log: str, role: str, rows: int, latest_event: datetime, latest_known: datetime) -> ReadRecord:
    return ReadRecord(
        log=log, role=role, partitions=["2026-03-01"], rows=rows, latest_event=latest_event, latest_known=latest_known
    )


def test_what_the_examples_were_read_from_is_in_the_result(ordered: Order, logs: tuple[Path, Path]) -> None:
    given = ordered(examples=examples_order(*logs, NOON + 2 * HOUR))
    given.step.examples()
    assert given.result.reads == [
        read_record("ads/log", "exposures", 2, NOON + HOUR, NOON + HOUR),
        read_record("ads/log", "outcomes", 1, NOON, NOON),
    ]
    given.step.report(rows=2)
    assert len(given.result.reads) == 2


@pytest.fixture
def with_visits(logs: tuple[Path, Path], tmp_path: Path) -> ExamplesOrder:
    """An order with history: visits of the two users who are shown something, one of them known late."""
    shown, sold = logs
    pd.read_parquet(shown).assign(user=["a", "a", "b"]).to_parquet(shown)
    visits = tmp_path / "visits.parquet"
    times = pd.DatetimeIndex([NOON - 3 * HOUR, NOON - HOUR, NOON - HOUR, NOON + HOUR])
    known = pd.DatetimeIndex([NOON - 3 * HOUR, NOON - HOUR / 2, NOON + HOUR, NOON + HOUR])
    pd.DataFrame({"id": range(4), "user": ["a", "a", "b", "b"], "time": times, "known": known}).to_parquet(visits)
    day = PartitionOrder(key="2026-03-01", start=NOON - 4 * HOUR, end=NOON + 2 * HOUR, files=[visits])
    log = log_order(visits, key="ads/visits", partitions=[day], start=day.start, end=day.end)
    features = {
        "visits": FeatureOrder(function="count", column=None),
        "last_visit": FeatureOrder(function="last", column="id"),
    }
    history = HistoryOrder(log=log, by=["user"], within=2 * HOUR, features=features)
    return examples_order(shown, sold, None).model_copy(update={"history": [history]})


def test_history_is_of_what_was_known_before_each_exposure(ordered: Order, with_visits: ExamplesOrder) -> None:
    given = ordered(examples=with_visits)
    examples = given.step.history(given.step.examples())
    assert examples["user"].tolist() == ["a", "b"]
    assert examples["visits"].tolist() == [1, 0]
    assert examples["last_visit"].tolist() == [1, pd.NA]
    assert examples["feature_time"].tolist() == [NOON - HOUR / 2, pd.NaT]
    assert examples["label"].tolist() == [1, 1]


def test_history_can_be_saved_and_is_read_back_as_it_was(ordered: Order, with_visits: ExamplesOrder) -> None:
    given = ordered(examples=with_visits)
    examples = given.step.history(given.step.examples())
    given.step.save(examples)
    saved = pd.read_parquet(given.folder / TABLE)
    assert_frame_equal(saved, examples)
    assert given.result.data_version == hash_frame(saved)


def test_what_the_history_was_read_from_is_in_the_result(ordered: Order, with_visits: ExamplesOrder) -> None:
    given = ordered(examples=with_visits)
    given.step.history(given.step.examples())
    assert [(read.log, read.role) for read in given.result.reads] == [
        ("ads/log", "exposures"),
        ("ads/log", "outcomes"),
        ("ads/visits", "history"),
    ]
    assert given.result.reads[2] == read_record("ads/visits", "history", 4, NOON + HOUR, NOON + HOUR)


def test_a_model_without_history_has_its_examples_as_they_are(ordered: Order, logs: tuple[Path, Path]) -> None:
    given = ordered(examples=examples_order(*logs, None))
    examples = given.step.examples()
    assert given.step.history(examples) is examples
    assert len(given.result.reads) == 2


def test_a_step_that_reads_no_log_has_no_history(ordered: Order) -> None:
    with pytest.raises(StepError, match="ads/cvr/model reads no event log"):
        ordered().step.history(FRAME)


def test_history_names_the_columns_that_it_lacks_and_those_that_are_taken(
    ordered: Order, with_visits: ExamplesOrder
) -> None:
    step = ordered(examples=with_visits).step
    examples = step.examples()
    with pytest.raises(
        ValueError, match=r"history needs the columns \['time', 'user'\] of the examples, and adds \[\],"
    ):
        step.history(examples.drop(columns=["time", "user"]))
    with pytest.raises(
        ValueError, match=r"needs the columns \[\] of the examples, and adds \['visits', 'feature_time'\]"
    ):
        step.history(examples.assign(visits=0, feature_time=None))


@pytest.fixture
def training_data(store: ArtifactStore) -> Path:
    """Training data that has been published."""
    folder = store.prepare("ads/cvr/training_data", "2026-01-01", "run-0")
    FRAME.to_parquet(folder / TABLE, index=False)
    store.publish(folder, {"data_version": hash_frame(FRAME)})
    return folder


def test_the_table_of_an_upstream_step_is_read_as_it_was_saved(ordered: Order, training_data: Path) -> None:
    step = ordered(inputs={"training_data": training_data}).step
    assert_frame_equal(step.read("training_data"), FRAME)
    assert step.files_of("training_data") == training_data


@pytest.mark.parametrize("ask", [Step.read, Step.files_of])
def test_what_is_not_upstream_is_refused(ask: Callable[[Step, str], Any], ordered: Order, training_data: Path) -> None:
    step = ordered(inputs={"training_data": training_data}).step
    with pytest.raises(StepError, match=r"ads/cvr/model has no input 'metrics'; it has \['training_data'\]"):
        ask(step, "metrics")


def test_an_upstream_version_that_was_not_published_is_refused(ordered: Order, store: ArtifactStore) -> None:
    half = store.prepare("ads/cvr/training_data", "2026-01-01", "run-0")
    FRAME.to_parquet(half / TABLE)
    with pytest.raises(ArtifactError, match="manifest.json is missing"):
        ordered(inputs={"training_data": half}).step.read("training_data")


def test_a_saved_table_lies_in_the_folder_of_the_version_without_its_index(ordered: Order) -> None:
    given = ordered()
    given.step.save(FRAME.set_axis(["x", "y"]))
    assert [path.name for path in given.folder.iterdir()] == [TABLE]
    assert_frame_equal(pd.read_parquet(given.folder / TABLE), FRAME)
    assert given.result.data_version == hash_frame(FRAME)


def test_equal_rows_in_another_order_are_the_same_version(ordered: Order) -> None:
    given = ordered()
    given.step.save(FRAME.iloc[::-1])
    assert given.result.data_version == hash_frame(FRAME)


def test_saved_files_are_known_by_their_names_and_bytes(ordered: Order, tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "trees").mkdir()
        (folder / "trees" / "0.txt").write_text("tree", encoding="utf-8")
        (folder / "schema.json").write_text("{}", encoding="utf-8")

    given = ordered()
    given.step.save_files(write)
    copy = shutil.copytree(given.folder, tmp_path / "copy")
    assert given.result.data_version == hash_files([copy / "schema.json", copy / "trees" / "0.txt"], relative_to=copy)


def test_a_writer_that_writes_nothing_is_refused(ordered: Order) -> None:
    given = ordered()
    with pytest.raises(StepError, match="ads/cvr/model: nothing was written into the folder given"):
        given.step.save_files(lambda folder: (folder / "empty").mkdir())
    assert given.result is None


SAVES: dict[str, Callable[[Step], None]] = {
    "a table": lambda step: step.save(FRAME),
    "files": lambda step: step.save_files(lambda folder: (folder / "a.txt").write_bytes(b"a")),
}


@pytest.mark.parametrize("first", SAVES)
@pytest.mark.parametrize("second", SAVES)
def test_a_step_saves_once(first: str, second: str, ordered: Order) -> None:
    given = ordered()
    SAVES[first](given.step)
    before = given.result, sorted(given.folder.iterdir())
    with pytest.raises(StepError, match="a step saves once"):
        SAVES[second](given.step)
    assert (given.result, sorted(given.folder.iterdir())) == before


def test_a_table_that_cannot_be_saved_leaves_no_result(ordered: Order) -> None:
    given = ordered()
    with pytest.raises(pa.ArrowInvalid, match="column tags"):
        given.step.save(pd.DataFrame({"tags": [object(), object()]}))
    assert given.result is None


def test_what_is_reported_is_kept_beside_the_order(ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=3, rate=0.25, note="few rows")
    assert given.result.numbers == {"rows": 3, "rate": 0.25, "note": "few rows"}
    assert given.result.data_version is None


def test_reports_add_up_and_the_last_of_a_name_counts(ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=3, rate=0.5)
    given.step.save(FRAME)
    given.step.report(rows=4)
    assert given.result.numbers == {"rows": 4, "rate": 0.5}
    assert given.result.data_version == hash_frame(FRAME)


def test_a_name_is_a_number_or_a_figure_the_last_of_both(ordered: Order) -> None:
    given = ordered()
    given.step.report(curve=3, rate=Figure())
    given.step.report(curve=Figure(), rate=0.5)
    assert given.result.numbers == {"rate": 0.5}
    assert list(given.result.figures) == ["curve"]


def test_a_name_that_a_run_shows_itself_is_refused_and_leaves_what_was_reported(ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=3)
    with pytest.raises(ValueError, match="'lineage' cannot be reported: each partition has a 'lineage' of its own"):
        given.step.report(more=1, lineage="mine")
    assert given.result.numbers == {"rows": 3}


@pytest.mark.parametrize("value", [True, False, "10", 10**30])
def test_what_is_reported_arrives_as_it_is(value: Any, ordered: Order) -> None:
    given = ordered()
    given.step.report(value=value)
    assert (given.result.numbers["value"], type(given.result.numbers["value"])) == (value, type(value))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["id", 5], r"the columns \[5\] have names that are no text, .* frame.rename\(columns={5: '5'}\)"),
        ([("a", "b"), None], r"the columns \[\('a', 'b'\), None\] have names"),
        (["id", "id"], r"the columns \['id'\] are there more than once"),
    ],
)
def test_columns_that_a_stored_table_cannot_have_are_refused(columns: list[Any], words: str, ordered: Order) -> None:
    given = ordered()
    frame = pd.DataFrame([[1, 2]])
    frame.columns = pd.Index(columns, dtype=object, tupleize_cols=False)
    with pytest.raises(ValueError, match=words):
        given.step.save(frame)
    assert given.result is None


def test_a_column_that_is_called_5_keeps_its_name(ordered: Order) -> None:
    given = ordered()
    given.step.save(pd.DataFrame({"5": [1]}))
    assert list(pd.read_parquet(given.folder / TABLE).columns) == ["5"]


@pytest.mark.parametrize(
    ("given_number", "kept"),
    [(np.int64(3), 3), (np.float32(0.5), 0.5), (np.float64(0.5), 0.5), (np.array(7), 7), (np.str_("few"), "few")],
)
def test_numpy_scalars_are_reported_as_plain_values(given_number: Any, kept: object, ordered: Order) -> None:
    given = ordered()
    given.step.report(number=given_number)
    assert given.result.numbers == {"number": kept}
    assert type(given.result.numbers["number"]) is type(kept)


@pytest.mark.parametrize("unknown", [float("nan"), float("inf"), -np.inf, np.float32("nan"), np.float64("nan")])
def test_a_number_that_is_not_known_is_refused(unknown: float, ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=3)
    with pytest.raises(ValueError, match=r"^auc is (nan|inf|-inf): leave out what is not known"):
        given.step.report(auc=unknown, more=1)
    assert given.result.numbers == {"rows": 3}


@pytest.mark.parametrize("value", [None, pd.NA, [1], {"a": 1}, NOON, HOUR], ids=str)
def test_what_is_neither_number_nor_words_is_refused(value: Any, ordered: Order) -> None:
    given = ordered()
    with pytest.raises(TypeError, match="rows is a .*: report numbers, words and figures alone"):
        given.step.report(rows=value)
    assert given.result is None


def test_a_step_that_is_taken_twice_goes_on_with_what_it_has_left_behind(ordered: Order) -> None:
    given = ordered()
    given.step.report(rows=1)
    given.step.save(FRAME)
    again = Step.of(given.context)
    again.report(more=2)
    assert given.result is not None
    assert given.result.numbers == {"rows": 1, "more": 2}
    assert given.result.data_version == hash_frame(FRAME)
    with pytest.raises(StepError, match="a step saves once"):
        again.save(FRAME)


def test_a_trial_is_saved_anew_as_often_as_one_likes(ordered: Order) -> None:
    given = ordered(scratch=True)
    given.step.save_files(lambda folder: (folder / "model.txt").write_text("trees"))
    again = Step.of(given.context)
    again.save(FRAME)
    once = given.result
    again.save(FRAME)
    assert sorted(path.name for path in given.folder.iterdir()) == ["data.parquet", "manifest.json"]
    assert given.result == once
