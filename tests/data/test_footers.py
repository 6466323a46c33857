"""What footers tell of files, and which files of event logs do not fit."""

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_assets.data.footers import (
    Footer,
    FooterError,
    check_files,
    column_of,
    contents_of,
    mixed_columns,
    read_footers,
    untyped_columns,
)
from ml_assets.domain.contents import Alike, Column, Wanted
from ml_assets.domain.declared.event_log import Columns

AT = pd.Timestamp("2026-03-01 12:00", tz="UTC")


def written(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("family", "arrays"),
    [
        ("integer", [pa.array([1], pa.int8()), pa.array([1], pa.uint64()), pa.array([1]).dictionary_encode()]),
        (
            "text",
            [
                pa.array(["a"]),
                pa.array(["a"], pa.large_string()),
                pa.array(["a"], pa.string_view()),
                pa.array(["a"]).dictionary_encode(),
            ],
        ),
        ("UUID", [pa.array([b"0" * 16], pa.uuid())]),
        ("decimal with 2 places", [pa.array([Decimal("1.25")], pa.decimal128(size, 2)) for size in (5, 30)]),
        ("float", [pa.array([1.0], pa.float32()), pa.array([Decimal("1.5")], pa.decimal256(39, 1))]),
        ("boolean", [pa.array([True])]),
        ("timestamp with a time zone", [pa.array([AT], pa.timestamp(unit, "Asia/Tokyo")) for unit in ("ms", "ns")]),
        ("timestamp without a time zone", [pa.array([AT.tz_localize(None)], pa.timestamp("us"))]),
        ("date", [pa.array([AT.date()])]),
        ("time of day", [pa.array([AT.time()])]),
        ("binary", [pa.array([b"a"]), pa.array([b"aa"], pa.binary(2))]),
        ("nested", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))]),
        ("untyped", [pa.nulls(1)]),
    ],
)
def test_types_that_are_read_as_one_without_a_loss_are_a_family(
    family: str, arrays: list[pa.Array], tmp_path: Path
) -> None:
    files = [written(tmp_path / f"{number}.parquet", column=array) for number, array in enumerate(arrays)]
    footers = read_footers(files)
    found = [footer.columns["column"].family for footer in footers.values() if isinstance(footer, Footer)]
    assert found == [family] * len(arrays)


def test_decimals_of_two_scales_are_two_families() -> None:
    assert column_of(pa.decimal128(9, 2)).family != column_of(pa.decimal128(9, 3)).family


def test_text_without_a_value_is_without_a_type_as_pandas_writes_it(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["a"], "time": [AT], "word": pd.array(["a"], dtype="string")})
    files = [tmp_path / "none.parquet", tmp_path / "nulls.parquet", tmp_path / "some.parquet"]
    for file, rows in zip(files, [frame.iloc[:0], frame.assign(id=None), frame], strict=True):
        rows.to_parquet(file, index=False)
    assert untyped_columns(files, read_footers(files)) == dict.fromkeys(files[:2], frozenset({"id"}))


def test_the_files_of_a_partition_are_told_by_their_columns(tmp_path: Path) -> None:
    folder = tmp_path / "date=2026-03-01"
    files = [written(folder / f"{name}.parquet", id=[1, 2]) for name in "abc"]
    files.append(written(folder / "d.parquet", id=["x"]))
    found = contents_of("f", files, read_footers(files))
    assert (found.fingerprint, found.rows, found.unreadable) == ("f", 7, "")
    assert found.alike == (
        Alike({"id": Column("integer", "int64")}, "date=2026-03-01/a.parquet", 3),
        Alike({"id": Column("text", "string")}, "date=2026-03-01/d.parquet", 1),
    )


def test_two_columns_of_one_name_are_told(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array(["x"]), pa.array([2])], names=["id", "word", "id"]), file)
    found = contents_of("f", [file], read_footers([file]))
    assert {name: column.family for name, column in found.alike[0].columns.items()} == {"id": "twice", "word": "text"}
    once = written(tmp_path / "b.parquet", id=[1])
    assert mixed_columns([file, once], read_footers([file, once])) == frozenset(), (
        "the first of them is read with others"
    )


def test_a_file_that_cannot_be_read_keeps_back_no_other_and_is_named(tmp_path: Path) -> None:
    good, bad, gone = written(tmp_path / "a.parquet", id=[1]), tmp_path / "b.parquet", tmp_path / "c.parquet"
    bad.write_bytes(b"no parquet")
    footers = read_footers([good, bad, gone])
    assert isinstance(footers[bad], FooterError)
    assert isinstance(footers[gone], FileNotFoundError)
    found = contents_of("f", [good, bad, gone], footers)
    assert found.rows == 1
    assert str(bad) in found.unreadable


def test_no_footer_is_read_when_the_time_is_over(tmp_path: Path) -> None:
    file = written(tmp_path / "a.parquet", id=[1])
    assert read_footers([file], until=time.monotonic() - 1) == {}
    assert read_footers([file], until=time.monotonic() + 60).keys() == {file}


def test_files_of_one_window_are_checked_together(tmp_path: Path) -> None:
    columns = Columns("time", ("id",))
    files = {
        log: {
            f"2026-03-0{day}": [written(tmp_path / log / f"date=2026-03-0{day}" / "a.parquet", id=ids, time=[AT])]
            for day, ids in enumerate(of, start=1)
        }
        for log, of in {"ads/shown": [[1], [2], pa.nulls(1)], "ads/sold": [["1"], [1], [1.0]]}.items()
    }
    found = check_files(files, Wanted.of_logs([(log, columns) for log in files], ["id"]))
    assert {log: list(of) for log, of in found.items()} == {"ads/sold": ["2026-03-03", "2026-03-01"]}
    assert found["ads/sold"]["2026-03-01"] == (
        "ads/sold date=2026-03-01/a.parquet: column id is string, but int64 in most files, such as "
        "ads/shown date=2026-03-01/a.parquet"
    )
