"""Values of examples stay what they are: of columns of any type, of those without one, and where some are missing."""

import itertools
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.data.examples import ExampleReader
from ml_assets.data.logs.log_files import HistoryFiles, LogFiles
from ml_assets.domain.declared.history import Feature
from tests.data.parquet_logs import HOUR, NOON, examples_of, instants, log_files, query, written


@pytest.mark.parametrize("missing", [[1, None], [True, None]], ids=["whole numbers", "booleans"])
def test_values_stay_what_they_are_where_some_are_missing(
    missing: list[object], tmp_path: Path, outcomes: LogFiles
) -> None:
    big = 2**60 + 1
    shown = written(tmp_path / "a.parquet", id=[1, 2], time=instants(NOON, NOON), user=[big, None], some=missing)
    found = examples_of(log_files("ads/shown", shown), outcomes)
    assert found["user"].tolist() == [big, pd.NA]
    assert found["some"].tolist() == [missing[0], pd.NA]
    assert found["id"].dtype == "int64"


UNUSED: dict[str, pa.Array] = {
    "list": pa.array([[1, None], None]),
    "words": pa.array([["a", None], []]),
    "fixed": pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2)),
    "record": pa.array([{"a": 1, "b": "x"}, None]),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
    "nested": pa.array(
        [[{"a": [("b", [1])]}], None], pa.list_(pa.struct([("a", pa.map_(pa.string(), pa.list_(pa.int8())))]))
    ),
    "hour": pa.array([1, None], pa.time64("us")),
    "duration": pa.array([1, None], pa.duration("us")),
    "half": pa.array(np.array([1, 2], np.float16)),
    "bytes": pa.array([b"\xff", None]),
    "uuid": pa.array([b"0123456789abcdef", None], pa.uuid()),
    "json": pa.array(['{"a": 1}', None], pa.json_()),
    "nothing": pa.nulls(2),
}


def test_columns_of_any_type_that_nobody_uses_come_through(tmp_path: Path) -> None:
    """Also where a key has two versions that differ in them alone."""
    table = pa.table({"id": [1, 2], "time": instants(NOON, NOON), "known": instants(NOON, NOON), **UNUSED})
    twice = pa.concat_tables([table, table.set_column(table.schema.get_field_index("list"), "list", [[[2], [3]]])])
    pq.write_table(twice, tmp_path / "a.parquet")
    log = log_files("ads/shown", tmp_path / "a.parquet", known="known")
    found = examples_of(log, log)
    assert list(found.columns)[: len(table.column_names)] == table.column_names
    assert [values.tolist() for values in found["list"]] == [[2], [3]]
    assert [entry.tolist() for entry in found["map"].dropna()] == [[{"key": "a", "value": 1}]]
    found.to_parquet(tmp_path / "data.parquet", index=False)
    assert hash_frame(pd.read_parquet(tmp_path / "data.parquet")) == hash_frame(found)
    history = HistoryFiles(log, ("id",), 2 * HOUR, {"seen": Feature("count", None)})
    later = found.assign(time=found["time"] + pd.Timedelta(HOUR))
    assert ExampleReader().with_history(later, [history], time="time")["seen"].tolist() == [1, 1]


def test_a_column_that_differs_too_much_from_file_to_file_is_left_out_and_named(
    tmp_path: Path, outcomes: LogFiles
) -> None:
    odd = {"list": [[1]], "number": [1], "record": [{"a": 1}], "other record": [{"b": 1}], "date": [NOON.date()]}
    for one, other in itertools.combinations(odd, 2):
        files = [
            written(tmp_path / f"{one} {number}.parquet", id=[number], time=instants(NOON), odd=odd[name], device=["x"])
            for number, name in enumerate((one, other))
        ]
        reader = ExampleReader()
        found = reader.examples(query(log_files("ads/shown", *files), outcomes))
        assert (found["id"].tolist(), found["label"].tolist()) == ([0, 1], [0, 1])
        assert "odd" not in found
        assert [read.left_out for read in reader.reads] == [("odd",), ()]


def test_a_number_that_no_engine_holds_is_left_out_and_not_read_as_another(tmp_path: Path, outcomes: LogFiles) -> None:
    long = pa.array([Decimal("1.5")], pa.decimal256(50, 2))
    file = written(tmp_path / "a.parquet", id=[1], time=instants(NOON), long=long)
    reader = ExampleReader()
    assert "long" not in reader.examples(query(log_files("ads/shown", file), outcomes))
    assert reader.reads[0].left_out == ("long",)


def test_numbers_of_all_types_are_numbers_and_beside_text_they_are_text(tmp_path: Path, outcomes: LogFiles) -> None:
    for values, expected in (([1, 1.5, True], [1, 1.5, 1]), ([1, "x", NOON.date()], ["1", "x", "2026-03-01"])):
        files = [
            written(tmp_path / f"{number}.parquet", id=[number], time=instants(NOON), some=[value])
            for number, value in enumerate(values)
        ]
        assert examples_of(log_files("ads/shown", *files), outcomes)["some"].tolist() == expected


@pytest.mark.parametrize("empty", ["exposures", "outcomes", "both", "some files"])
@pytest.mark.parametrize("how", ["no row", "nulls"])
def test_keys_without_a_type_have_that_of_the_others(empty: str, how: str, tmp_path: Path) -> None:
    """Of text without any value pandas writes no type."""
    frame = pd.DataFrame({"id": ["a"], "time": [NOON], "known": [NOON], "gone": [False], "other": [NOON]})
    nothing = frame.iloc[:0] if how == "no row" else frame.assign(id=None, known=None, gone=None, other=None)
    logs = []
    for name in ("exposures", "outcomes"):
        files = []
        for number, rows in enumerate([nothing, nothing if empty in (name, "both") else frame]):
            files.append(tmp_path / f"{name}-{number}.parquet")
            rows.astype({"id": object, "known": object, "gone": object}).to_parquet(files[-1], index=False)
        logs.append(log_files(f"ads/{name}", *files, known="known", deleted="gone"))
    found = examples_of(*logs)
    positives = 0 if empty in ("exposures", "outcomes", "both") else 1
    assert found["label"].sum() == positives
    if empty in ("outcomes", "some files"):
        assert found["id"].dropna().tolist() == ["a"]
        assert found["other"].dtype == "datetime64[us, UTC]"


def test_a_history_without_a_type_is_that_of_nobody(tmp_path: Path) -> None:
    sold = log_files("ads/sold", written(tmp_path / "s.parquet", id=["a"], time=instants(NOON)))
    shown = examples_of(sold, sold)
    log = log_files("ads/paid", written(tmp_path / "a.parquet", id=pa.nulls(1), time=instants(NOON)))
    history = HistoryFiles(log, ("id",), HOUR, {"paid": Feature("count", None)})
    assert ExampleReader().with_history(shown, [history], time="time")["paid"].tolist() == [0]
    assert ExampleReader().with_history(shown.assign(id=None), [history], time="time")["paid"].tolist() == [0]
