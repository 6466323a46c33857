from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ml_assets.examples.event_files import days, rows_of_day, write_partition


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


def test_a_complete_partition_is_never_rewritten(tmp_path: Path) -> None:
    write_partition(tmp_path, "2026-01-01", events("2026-01-01T00:00Z"))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in tmp_path.rglob("*")}
    assert not write_partition(tmp_path, "2026-01-01", events())
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in tmp_path.rglob("*")} == before


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
