"""A step reads its examples and their history from the files and within the bounds of its order."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.notebooks.order import (
    TABLE,
    ExamplesOrder,
    FeatureOrder,
    HistoryOrder,
    LogOrder,
    PartitionOrder,
    ReadRecord,
)
from ml_assets.notebooks.step import StepError
from tests.notebooks.step.rows import FRAME, HOUR, NOON, Order


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
