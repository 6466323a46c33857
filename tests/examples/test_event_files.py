from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from upath import UPath

from ml_assets.data.logs.event_files import EventFolder
from ml_assets.domain.calendar import Calendar, Every
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.durations import Duration
from ml_assets.examples.event_files import days, rows_of_day, write_partition, writing_days
from ml_assets.paths import path_of


def events(*times: str) -> pd.DataFrame:
    event_time = pd.DatetimeIndex(pd.to_datetime(list(times), utc=True, format="ISO8601")).as_unit("us")
    return pd.DataFrame({"event_time": event_time, "kind": pd.array(["click"] * len(times), dtype="string")})


def test_the_span_of_days_holds_both_ends() -> None:
    assert list(days(date(2024, 2, 28), date(2024, 3, 1))) == [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)]


def test_a_day_begins_at_local_midnight_and_ends_before_the_next() -> None:
    log = events("2026-01-01T14:59:59.999999Z", "2026-01-01T15:00Z", "2026-01-02T14:59:59.999999Z", "2026-01-02T15:00Z")
    assert list(rows_of_day(log, date(2026, 1, 2), "Asia/Tokyo").index) == [1, 2]


def test_the_day_the_clocks_go_back_has_25_hours() -> None:
    log = events("2017-11-05T03:59Z", "2017-11-05T04:00Z", "2017-11-06T04:59Z", "2017-11-06T05:00Z")
    assert list(rows_of_day(log, date(2017, 11, 5), "America/New_York").index) == [1, 2]


def test_a_partition_is_one_file_and_a_marker(tmp_path: Path) -> None:
    assert write_partition(tmp_path / "ads/clicks", "2026-01-01", events("2026-01-01T00:00Z"))
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"ads/clicks/date=2026-01-01/part-0.parquet", "ads/clicks/date=2026-01-01/_SUCCESS"}
    assert (tmp_path / "ads/clicks/date=2026-01-01/_SUCCESS").read_bytes() == b""


def log(root: Path, every: Every = "day", start: date = date(2026, 1, 1)) -> EventLog:
    """A log that lies in `clicks` below `root`."""
    calendar = Calendar(every, start, "UTC")
    return EventLog("ads/clicks", "clicks", calendar, Duration(1, "d"), Columns("event_time", ("kind",)))


def test_writing_a_partition_again_is_a_correction(tmp_path: Path) -> None:
    write_partition(tmp_path / "clicks", "2026-01-01", events("2026-01-01T00:00Z"))
    partition = tmp_path / "clicks/date=2026-01-01"
    for name in ("part-1.parquet", "20260101_00012_abcde"):
        (partition / name).write_bytes((partition / "part-0.parquet").read_bytes())
    before = EventFolder(tmp_path, log(tmp_path)).marked_fingerprint("2026-01-01", "_SUCCESS")
    assert write_partition(tmp_path / "clicks", "2026-01-01", events("2026-01-01T01:00Z", "2026-01-01T02:00Z"))
    assert sorted(path.name for path in partition.iterdir()) == ["_SUCCESS", "part-0.parquet"]
    assert len(pd.read_parquet(partition / "part-0.parquet")) == 2
    after = EventFolder(tmp_path, log(tmp_path)).marked_fingerprint("2026-01-01", "_SUCCESS")
    assert before != after is not None


def test_a_correction_as_long_as_before_changes_the_fingerprint(tmp_path: Path) -> None:
    prints = []
    for hour in range(4):
        write_partition(tmp_path / "clicks", "2026-01-01", events(f"2026-01-01T0{hour}:00Z"))
        prints.append(EventFolder(tmp_path, log(tmp_path)).marked_fingerprint("2026-01-01", "_SUCCESS"))
    assert None not in prints
    assert len(set(prints)) == 4


def test_a_correction_in_an_object_store_replaces_all_files() -> None:
    root = UPath("memory://corrections")
    write_partition(root / "clicks", "2026-01-01", events("2026-01-01T00:00Z"))
    (root / "clicks/date=2026-01-01/part-1.parquet").write_bytes(b"of another writer")
    assert write_partition(root / "clicks", "2026-01-01", events("2026-01-01T01:00Z"))
    assert not write_partition(root / "clicks", "2026-01-01", events("2026-01-01T01:00Z"))
    assert sorted(path.name for path in (root / "clicks/date=2026-01-01").iterdir()) == ["_SUCCESS", "part-0.parquet"]


def test_equal_rows_are_no_correction(tmp_path: Path) -> None:
    write_partition(tmp_path, "2026-01-01", events("2026-01-01T00:00Z"))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in tmp_path.rglob("*")}
    assert not write_partition(tmp_path, "2026-01-01", events("2026-01-01T00:00Z"))
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in tmp_path.rglob("*")} == before


def test_a_correction_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    write_partition(tmp_path, "2026-01-01", events("2026-01-01T00:00Z"))
    partition = tmp_path / "date=2026-01-01"
    (partition / ".part-0.parquet.unfinished").mkdir()
    with pytest.raises(IsADirectoryError):
        write_partition(tmp_path, "2026-01-01", events())
    assert (partition / "_SUCCESS").exists()
    assert len(pd.read_parquet(partition / "part-0.parquet")) == 1


def test_a_reader_of_a_correction_never_sees_a_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step, a marker says that all rows of before, or all of after, are there."""
    seen = []

    def watched(name: str) -> None:
        method = getattr(Path, name)

        def call(path: Path, *arguments: object, **named: object) -> object:
            result = method(path, *arguments, **named)
            if (partition / "_SUCCESS").exists():
                seen.append(sum(len(pd.read_parquet(file)) for file in partition.glob("[!.]*.parquet")))
            return result

        monkeypatch.setattr(Path, name, call)

    partition = tmp_path / "date=2026-01-01"
    write_partition(tmp_path, "2026-01-01", events("2026-01-01T00:00Z"))
    (partition / "part-1.parquet").write_bytes((partition / "part-0.parquet").read_bytes())
    for name in ("write_bytes", "unlink", "replace", "touch"):
        watched(name)
    write_partition(tmp_path, "2026-01-01", events(*["2026-01-01T00:00Z"] * 5))
    assert seen == [2, 5]


@pytest.mark.parametrize(
    ("every", "start", "key", "folder"),
    [
        ("hour", date(2026, 1, 1), "2026-01-01-05:00+0000", "hour=2026-01-01-05:00+0000"),
        ("day", date(2026, 1, 1), "2026-01-02", "date=2026-01-02"),
        ("week", date(2026, 1, 5), "2026-01-12", "week=2026-01-12"),
    ],
)
def test_a_partition_is_written_where_its_log_is_read(
    every: Every, start: date, key: str, folder: str, tmp_path: Path
) -> None:
    write_partition(tmp_path / "clicks", key, events(), every=every)
    assert list(EventFolder(tmp_path, log(tmp_path, every, start)).folders.items()) == [(key, folder)]


@pytest.mark.parametrize(
    ("every", "key"), [("day", "20260101"), ("day", "2026-1-1"), ("week", "2026-W01"), ("hour", "2026-01-01T05:00")]
)
def test_a_key_of_another_spelling_is_refused(every: Every, key: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"'{key}' names no {every}; write it as 2026-01-01"):
        write_partition(tmp_path, key, events(), every=every)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_the_demo_goes_on_where_it_was_interrupted(scheme: str, tmp_path: Path) -> None:
    root, told = path_of(f"{scheme}{tmp_path}"), list[str]()
    for times in (["2026-01-01T00:00Z"], []):
        with writing_days(root, shift=timedelta(7), on_partition=told.append) as write_day:
            for day in (1, 2, 3):
                write_day("ads/clicks", date(2026, 1, day), events(*times))
    assert sorted(told) == [f"ads/clicks/date=2026-01-{day:02}" for day in (8, 9, 10)]
    for key in told:
        with (root / key / "part-0.parquet").open("rb") as file:
            assert len(pd.read_parquet(file)) == 1
        assert (root / key / "_SUCCESS").exists()


@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_a_day_that_cannot_be_written_ends_the_demo(scheme: str, tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="give empty a type"),
        writing_days(path_of(f"{scheme}{tmp_path}"), shift=timedelta(0), on_partition=None) as write_day,
    ):
        write_day("ads/clicks", date(2026, 1, 1), events("2026-01-01T00:00Z").assign(empty=None))


def test_a_half_written_partition_is_overwritten(tmp_path: Path) -> None:
    partition = tmp_path / "date=2026-01-01"
    partition.mkdir()
    (partition / "part-0.parquet").write_bytes(b"PAR1 and then the power went")
    (partition / ".part-0.parquet.unfinished").write_bytes(b"PAR1")
    assert write_partition(tmp_path, "2026-01-01", events("2026-01-01T00:00Z"))
    assert sorted(path.name for path in partition.iterdir()) == ["_SUCCESS", "part-0.parquet"]
    assert len(pd.read_parquet(partition / "part-0.parquet")) == 1


def test_no_marker_is_left_when_the_file_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OSError, match="no space"):
        write_partition(tmp_path, "2026-01-01", events("2026-01-01T00:00Z"))
    assert not list(tmp_path.rglob("_SUCCESS"))


def test_a_day_without_events_has_the_same_schema(tmp_path: Path) -> None:
    write_partition(tmp_path, "2026-01-01", events("2026-01-01T00:00Z"))
    write_partition(tmp_path, "2026-01-02", events())
    full, empty = (pq.read_table(tmp_path / f"date=2026-01-0{day}/part-0.parquet", partitioning=None) for day in (1, 2))
    assert empty.num_rows == 0
    assert empty.schema.equals(full.schema, check_metadata=True)
    assert {field.name: str(field.type) for field in full.schema} == {
        "event_time": "timestamp[us, tz=UTC]",
        "kind": "string",
    }


def test_a_column_without_a_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give kind a type"):
        write_partition(tmp_path, "2026-01-01", events().astype({"kind": object}))
    assert not list(tmp_path.iterdir())
