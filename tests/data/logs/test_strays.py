"""Rows that lie in the file of another partition: a few are dirt, many a mistake."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_assets.data.engines.engine import EventLogError
from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.logs.log_files import HistoryFiles, LogFiles
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.history import Feature
from tests.data.parquet_logs import DAY, HOUR, NOON, examples_of, filed, instants, log_files, reads_of, written


def a_day(zone: str) -> Interval:
    """The first of March there."""
    start = datetime(2026, 3, 1, tzinfo=ZoneInfo(zone))
    return Interval(start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC))


def spread_over(interval: Interval) -> list[datetime]:
    return [interval.start + number * (interval.end - interval.start) / 96 for number in range(96)]


@pytest.mark.parametrize("statistics", [True, False], ids=["with statistics", "without statistics"])
@pytest.mark.parametrize(("zone", "strays"), [("Asia/Tokyo", 36), ("America/New_York", 20)])
def test_days_of_another_time_zone_than_declared_are_refused(
    zone: str, strays: int, statistics: bool, tmp_path: Path, outcomes: LogFiles
) -> None:
    """The log writes each UTC day into a folder, and declares another time zone."""
    of_utc = filed(
        tmp_path / "a.parquet", *spread_over(a_day("UTC")), interval=a_day(zone), write_statistics=statistics
    )
    words = f"ads/shown: {strays} of 96 rows in partition 2026-03-01 have a time outside of"
    with pytest.raises(EventLogError, match=words) as refused:
        examples_of(of_utc, outcomes)
    assert f"outside of [{a_day(zone).start.isoformat()}, {a_day(zone).end.isoformat()})" in str(refused.value)
    local = filed(tmp_path / "b.parquet", *spread_over(a_day(zone)), interval=a_day(zone), write_statistics=statistics)
    assert len(examples_of(local, outcomes)) == 96


@pytest.mark.parametrize("statistics", [True, False], ids=["with statistics", "without statistics"])
@pytest.mark.parametrize(("rows", "allowed"), [(30, 10), (2000, 20)])
def test_a_few_stray_rows_are_dirt_and_more_are_a_mistake(
    rows: int, allowed: int, statistics: bool, tmp_path: Path, outcomes: LogFiles
) -> None:
    for strays in (allowed, allowed + 1):
        times = [NOON] * (rows - strays) + [DAY.start - timedelta(microseconds=1)] + [DAY.end] * (strays - 1)
        log = filed(tmp_path / f"{strays}.parquet", *times, write_statistics=statistics)
        if strays == allowed:
            assert examples_of(log, outcomes)["time"].tolist() == [NOON] * (rows - strays)
        else:
            with pytest.raises(EventLogError, match=f"{strays} of {rows} rows in partition 2026-03-01"):
                examples_of(log, outcomes)


def test_the_first_instant_of_a_partition_is_in_it(tmp_path: Path, outcomes: LogFiles) -> None:
    times = [DAY.start] * 20 + [DAY.end - timedelta(microseconds=1)] * 20
    assert len(examples_of(filed(tmp_path / "a.parquet", *times), outcomes)) == 40


def test_strays_add_up_over_the_files_of_a_partition(tmp_path: Path, outcomes: LogFiles) -> None:
    files = [filed(tmp_path / f"{name}.parquet", *[DAY.end] * 6, NOON).files[0] for name in ("a", "b")]
    with pytest.raises(EventLogError, match="12 of 14 rows in partition 2026-03-01 have a time outside of"):
        examples_of(log_files("ads/shown", *files), outcomes)


@pytest.mark.parametrize(("partitions", "rows", "refused"), [(2, 40, False), (3, 40, True), (3, 420, False)])
def test_strays_of_small_partitions_add_up(
    partitions: int, rows: int, refused: bool, tmp_path: Path, outcomes: LogFiles
) -> None:
    """Of a small log, no single day may show that its days are those of another time zone."""
    times = [DAY.end] * 4 + [NOON] * (rows - 4)
    logs = [filed(tmp_path / f"{number}.parquet", *times) for number in range(partitions)]
    all_of_it = LogFiles("ads/shown", tuple(part for log in logs for part in log.partitions), None, logs[0].selection)
    if not refused:
        assert len(examples_of(all_of_it, outcomes)) == partitions * (rows - 4)
        return
    with pytest.raises(EventLogError, match="12 of 120 rows in 3 partitions have a time outside of their partition;"):
        examples_of(all_of_it, outcomes)


@pytest.mark.parametrize("statistics", [True, False], ids=["with statistics", "without statistics"])
def test_a_row_counts_in_its_own_partition_alone(statistics: bool, tmp_path: Path, outcomes: LogFiles) -> None:
    """Filed twice, it counts once; filed into another partition, it counts for no window, whichever that one is in."""
    morning, evening = Interval(DAY.start, NOON), Interval(NOON, DAY.end)
    logs = [
        filed(tmp_path / f"{name}.parquet", NOON - HOUR, NOON, *others, interval=part, write_statistics=statistics)
        for name, part, others in (("a", morning, [NOON + HOUR]), ("b", evening, [NOON - 2 * HOUR]))
    ]
    both = LogFiles(
        "ads/shown", logs[0].partitions + logs[1].partitions, None, Selection(Columns("time", ("id",)), DAY, None)
    )
    assert examples_of(both, outcomes)["time"].tolist() == [NOON - HOUR, NOON]
    assert reads_of(both, outcomes)[0].rows == 2


def test_the_outcomes_and_the_history_lie_in_their_partitions_too(tmp_path: Path, outcomes: LogFiles) -> None:
    wrong = filed(tmp_path / "a.parquet", *[DAY.end] * 20)
    with pytest.raises(EventLogError, match="20 of 20 rows"):
        examples_of(outcomes, wrong)
    history = HistoryFiles(wrong, ("id",), HOUR, {"shown": Feature("count", None)})
    with pytest.raises(EventLogError, match="20 of 20 rows"):
        ExampleReader().with_history(examples_of(outcomes, outcomes), [history], time="time")


def test_a_row_without_a_time_is_no_stray_and_no_example(tmp_path: Path, outcomes: LogFiles) -> None:
    times = pa.concat_arrays([pa.nulls(30, instants(NOON).type), instants(NOON)])
    for statistics in (True, False):
        pq.write_table(pa.table({"id": range(31), "time": times}), tmp_path / "a.parquet", write_statistics=statistics)
        assert examples_of(log_files("ads/shown", tmp_path / "a.parquet"), outcomes)["time"].tolist() == [NOON]


def test_strays_are_found_beside_nested_columns(tmp_path: Path, outcomes: LogFiles) -> None:
    """There, the statistics of a column are not those at its place among the columns."""
    places = [{"x": 1, "y": NOON}] * 20
    wrong = written(tmp_path / "a.parquet", id=range(20), place=places, time=instants(*[DAY.end] * 20))
    with pytest.raises(EventLogError, match="20 of 20 rows"):
        examples_of(log_files("ads/shown", wrong), outcomes)
    right = written(tmp_path / "b.parquet", id=range(20), place=places, time=instants(*[NOON] * 20))
    assert len(examples_of(log_files("ads/shown", right), outcomes)) == 20


@pytest.mark.parametrize("statistics", [True, False], ids=["with statistics", "without statistics"])
def test_a_file_without_rows_adds_none(statistics: bool, tmp_path: Path, outcomes: LogFiles) -> None:
    empty = filed(tmp_path / "a.parquet", write_statistics=statistics)
    assert examples_of(empty, outcomes).empty
    some = filed(tmp_path / "b.parquet", NOON)
    assert len(examples_of(log_files("ads/shown", *empty.files, *some.files), outcomes)) == 1
