"""What was read of a log is put on record: rows, partitions, the newest of them, and what has no key or time."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.logs.log_files import HistoryFiles, LogFiles, PartitionFiles
from ml_assets.data.logs.log_rows import Read
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.history import Feature
from tests.data.parquet_logs import DAY, HOUR, NOON, examples_of, filed, instants, log_files, query, reads_of, written


def as_known(path: Path, known_before: datetime | None, window: Interval = DAY, **columns: Any) -> LogFiles:
    names = Columns("time", ("id",), "known", "gone" if "gone" in columns else None)
    file = written(path, **columns)
    return LogFiles(
        "ads/shown", (PartitionFiles("2026-03-01", DAY, (file,)),), None, Selection(names, window, known_before)
    )


def test_what_was_read_counts_every_version_that_was_known_in_time(tmp_path: Path, outcomes: LogFiles) -> None:
    columns = {
        "id": [1, 1, 1, 2, 3],
        "time": instants(NOON, NOON + HOUR, NOON, NOON, NOON - HOUR),
        "known": instants(NOON, NOON + HOUR, NOON + 2 * HOUR, NOON + 3 * HOUR, NOON + 4 * HOUR),
        "gone": [False, False, True, True, False],
    }
    some = as_known(tmp_path / "a.parquet", NOON + 3 * HOUR, **columns)
    assert reads_of(some, outcomes)[0] == Read(
        "ads/shown", "exposures", ("2026-03-01",), 3, NOON + HOUR, NOON + 2 * HOUR
    )
    newest = as_known(tmp_path / "a.parquet", None, **columns)
    assert reads_of(newest, outcomes)[0] == Read(
        "ads/shown", "exposures", ("2026-03-01",), 5, NOON + HOUR, NOON + 4 * HOUR
    )


def test_rows_without_a_key_are_kept_and_counted(tmp_path: Path, outcomes: LogFiles) -> None:
    columns = {"id": [None, None, None, 1, 1], "time": instants(*[NOON] * 5), "known": instants(*[NOON] * 5)}
    shown = as_known(tmp_path / "a.parquet", None, **columns)
    reader = ExampleReader()
    assert reader.examples(query(shown, outcomes))["id"].isna().sum() == 3
    assert reader.reads[0] == Read("ads/shown", "exposures", ("2026-03-01",), 5, NOON, NOON, without_key=3)


@pytest.mark.parametrize(("known_before", "rows"), [(NOON + 5 * HOUR, 1), (None, 2)])
def test_rows_without_a_time_are_counted(
    known_before: datetime | None, rows: int, tmp_path: Path, outcomes: LogFiles
) -> None:
    columns = {
        "id": [1, 2, 3, 4, 5, 1],
        "time": pa.array([NOON, NOON, None, None, NOON + 24 * HOUR, None], pa.timestamp("us", "UTC")),
        "known": pa.array([NOON, None, NOON, None, None, NOON], pa.timestamp("us", "UTC")),
        "gone": [None, None, False, None, False, True],
    }
    shown = as_known(tmp_path / "a.parquet", known_before, **columns)
    reader = ExampleReader()
    reader.examples(query(shown, outcomes))
    assert reader.reads[0] == Read("ads/shown", "exposures", ("2026-03-01",), rows, NOON, NOON, 0, 3)


def test_rows_outside_of_the_window_are_not_counted(tmp_path: Path, outcomes: LogFiles) -> None:
    times = instants(NOON - HOUR, NOON, NOON + HOUR)
    log = as_known(tmp_path / "a.parquet", None, Interval(NOON, NOON + HOUR), id=[1, 2, 3], time=times, known=times)
    assert reads_of(log, outcomes)[0] == Read("ads/shown", "exposures", ("2026-03-01",), 1, NOON, NOON)


def test_each_log_is_on_record_with_its_role(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = filed(tmp_path / "a.parquet", NOON)
    assert reads_of(shown, outcomes) == [
        Read("ads/shown", "exposures", ("2026-03-01",), 1, NOON, None),
        Read("ads/sales", "outcomes", ("2026-03-01",), 1, NOON + HOUR / 2, None),
    ]


def test_nothing_read_is_on_record_too(column_file: Path, outcomes: LogFiles, tmp_path: Path) -> None:
    empty = log_files("ads/shown", schema_file=column_file)
    assert reads_of(empty, outcomes)[0] == Read("ads/shown", "exposures", ("2026-03-01",), 0, None, None)
    none_in_time = as_known(tmp_path / "a.parquet", NOON, id=[1], time=instants(NOON), known=instants(NOON))
    assert reads_of(none_in_time, outcomes)[0] == Read("ads/shown", "exposures", ("2026-03-01",), 0, None, None)


def test_the_partitions_read_are_on_record_also_those_without_files(tmp_path: Path, outcomes: LogFiles) -> None:
    one = filed(tmp_path / "a.parquet", NOON)
    tomorrow = Interval(DAY.end, DAY.end + timedelta(days=1))
    log = LogFiles("ads/shown", (*one.partitions, PartitionFiles("2026-03-02", tomorrow, ())), None, one.selection)
    assert reads_of(log, outcomes)[0].partitions == ("2026-03-01", "2026-03-02")


def test_a_history_is_on_record_with_all_its_versions(tmp_path: Path, outcomes: LogFiles) -> None:
    times, known = instants(NOON, NOON), instants(NOON, NOON + 9 * HOUR)
    log = as_known(tmp_path / "a.parquet", None, id=[1, 1], time=times, known=known)
    reader = ExampleReader()
    history = HistoryFiles(log, ("id",), HOUR, {"shown": Feature("count", None)})
    reader.with_history(examples_of(outcomes, outcomes), [history], time="time")
    assert reader.reads == [Read("ads/shown", "history", ("2026-03-01",), 2, NOON, NOON + 9 * HOUR)]


def test_a_retraction_without_a_time_counts_beside_a_stray_row_too(tmp_path: Path, outcomes: LogFiles) -> None:
    """What lies outside of the partition is left out; what lies nowhere still takes its key back."""
    columns = {
        "id": [1, 1, 2],
        "time": pa.array([NOON, None, NOON - 100 * HOUR], pa.timestamp("us", "UTC")),
        "known": instants(NOON, NOON + HOUR, NOON),
        "gone": [False, True, False],
    }
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", **columns), known="known", deleted="gone")
    assert examples_of(shown, outcomes).empty
