"""Labelled examples read from real Parquet files: their rows, their order, straight to a file."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.logs.log_files import LogFiles
from ml_assets.domain.declared.event_log import Columns
from tests.data.parquet_logs import DAY, HOUR, NOON, examples_of, instants, log_files, query, written

Frames = Callable[..., pd.DataFrame]


def test_examples_are_the_exposures_with_label_age_and_maturity(tmp_path: Path, outcomes: LogFiles) -> None:
    times = instants(NOON, NOON + 11.5 * HOUR)
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1, 2], time=times, device=["phone", None]))
    expected = pd.DataFrame(
        {
            "id": [1, 2],
            "time": pd.DatetimeIndex([NOON, NOON + 11.5 * HOUR]).as_unit("us"),
            "device": ["phone", None],
            "label": np.array([1, 0], dtype=np.int8),
            "label_age": [12 * 3600.0, 1800.0],
            "mature": [True, False],
            "outcome_time": pd.DatetimeIndex([NOON + HOUR / 2, None]).as_unit("us"),
            "outcome_known": pd.DatetimeIndex([NOON + HOUR / 2, None]).as_unit("us"),
        }
    )
    assert_frame_equal(examples_of(shown, outcomes), expected)


def test_files_in_any_number_and_order_give_what_a_double_loop_finds(
    tmp_path: Path, random_log: Frames, selected_by_hand: Frames, labelled_by_hand: Frames
) -> None:
    rng = np.random.default_rng(5)
    exposures, followed = random_log(rng, 150), random_log(rng, 150)
    names = {"key": ("row",), "known": "known"}
    ask = {"keys": ("user", "item"), "by_id": False, "within": 2 * HOUR, "observed_until": NOON - 6 * HOUR}
    found = []
    for parts in (1, 3):
        logs = [
            _in_parts(tmp_path / f"{parts} {name}", log, parts, rng)
            for name, log in (("a", exposures), ("b", followed))
        ]
        found.append(examples_of(*(log_files("ads/log", *files, **names) for files in logs), **ask))
    selection = Selection(Columns("time", ("row",), "known"), DAY, None)
    expected = labelled_by_hand(*(selected_by_hand(log, selection) for log in (exposures, followed)), **ask)
    expected = expected.sort_values(["time", "row"], ignore_index=True)
    columns = ["row", "time", "label", "label_age", "mature"]
    assert 0 < expected["label"].sum() < len(expected)
    for frame in found:
        assert_frame_equal(frame[columns], expected[columns])
    assert hash_frame(found[0]) == hash_frame(found[1])


def _in_parts(folder: Path, log: pd.DataFrame, parts: int, rng: np.random.Generator) -> list[Path]:
    """The rows shuffled over some files, the files in no order."""
    shuffled = log.sample(frac=1, random_state=rng)
    folder.mkdir()
    files = []
    for number in range(parts):
        files.append(folder / f"part-{number}.parquet")
        shuffled.iloc[number::parts].to_parquet(files[-1], index=False)
    return files[::-1]


def test_rows_come_in_one_order_even_where_time_and_key_are_equal(tmp_path: Path, outcomes: LogFiles) -> None:
    """Enough rows for DuckDB to sort them in parallel."""
    rows = 30_000
    times = instants(*[NOON, NOON + HOUR] * (rows // 2))
    order = np.random.default_rng(0).permutation(rows)
    table = pa.table({"id": np.ones(rows, dtype=int), "time": times, "value": np.arange(rows)})
    pq.write_table(table, tmp_path / "a.parquet")
    pq.write_table(table.take(order), tmp_path / "b.parquet")
    one, other = (examples_of(log_files("ads/shown", tmp_path / name), outcomes) for name in ("a.parquet", "b.parquet"))
    assert_frame_equal(one, other)
    assert one["time"].is_monotonic_increasing


def test_examples_of_one_time_are_ordered_by_their_key(tmp_path: Path, outcomes: LogFiles) -> None:
    columns = {"a": [1, 3, 2], "time": instants(NOON, NOON, NOON), "id": [3, 1, 2]}
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", **columns))
    assert examples_of(shown, outcomes)["id"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_times_of_every_unit_are_read_as_microseconds(unit: str, tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], time=instants(NOON, unit=unit)))
    found = examples_of(shown, outcomes)
    assert found["time"].dtype == "datetime64[us, UTC]"
    assert found["time"].tolist() == [NOON]
    assert found["label"].tolist() == [1]


def test_files_of_different_units_make_one_log_and_nanoseconds_are_cut_off(tmp_path: Path, outcomes: LogFiles) -> None:
    files = [
        written(tmp_path / "a.parquet", id=[1], time=instants(NOON + HOUR, unit="us")),
        written(tmp_path / "b.parquet", id=[1], time=instants(NOON, unit="ns", plus_ns=1_999)),
        written(tmp_path / "c.parquet", id=[1], time=instants(NOON - HOUR, unit="ms", zone="Asia/Tokyo")),
    ]
    found = examples_of(log_files("ads/shown", *files), outcomes)
    assert found["time"].tolist() == [NOON - HOUR, NOON + timedelta(microseconds=1), NOON + HOUR]
    assert found["label"].tolist() == [0, 1, 0]


def test_a_column_that_only_some_files_have_is_null_in_the_others(tmp_path: Path, outcomes: LogFiles) -> None:
    old = written(tmp_path / "a.parquet", id=[1], time=instants(NOON))
    new = written(tmp_path / "b.parquet", device=["phone"], time=instants(NOON + HOUR), id=[2])
    found = examples_of(log_files("ads/shown", old, new), outcomes)
    assert found["id"].tolist() == [1, 2]
    assert found["device"].tolist() == [None, "phone"]


def test_the_folder_of_a_partition_adds_no_column(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "date=2026-03-01" / "a.parquet", id=[1], time=instants(NOON)))
    assert "date" not in examples_of(shown, outcomes)


@pytest.mark.parametrize("name", ["hour=2026-03-01-12:00+0000", "hour=2026-03-01-12%3A00+0000", "a folder [1] *"])
def test_a_folder_may_have_any_name(name: str, tmp_path: Path, outcomes: LogFiles) -> None:
    """Also where the file holds a row of another partition, which its name tells apart."""
    (tmp_path / "a folder 1 x").mkdir()
    written(tmp_path / "a folder 1 x" / "a.parquet", id=[7], time=instants(NOON))
    shown = written(tmp_path / name / "a.parquet", id=[1, 2], time=instants(NOON, DAY.end))
    assert examples_of(log_files("ads/shown", shown), outcomes)["id"].tolist() == [1]


def test_outcomes_of_which_no_file_has_arrived_make_labels_of_zero(tmp_path: Path, column_file: Path) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], time=instants(NOON)))
    assert examples_of(shown, log_files("ads/sales", schema_file=column_file))["label"].tolist() == [0]


def test_a_window_without_files_has_the_columns_and_no_row(column_file: Path, outcomes: LogFiles) -> None:
    found = examples_of(log_files("ads/shown", schema_file=column_file), outcomes)
    assert found.dtypes.astype(str).to_dict() == {
        "id": "int64",
        "time": "datetime64[us, UTC]",
        "label": "int8",
        "label_age": "float64",
        "mature": "bool",
        "outcome_time": "datetime64[us, UTC]",
        "outcome_known": "datetime64[us, UTC]",
    }
    assert found.empty


def test_a_log_that_is_followed_by_itself_is_read_from_the_same_files(tmp_path: Path) -> None:
    times = instants(NOON, NOON, NOON + HOUR / 2, NOON + 2 * HOUR)
    visits = log_files("shop/visits", written(tmp_path / "a.parquet", id=[1, 2, 3, 4], time=times, user=[7, 8, 7, 7]))
    assert examples_of(visits, visits, keys=("user",), by_id=False)["label"].tolist() == [1, 0, 0, 0]


def test_the_outcome_log_may_name_its_time_otherwise(tmp_path: Path) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], time=instants(NOON)))
    sold = written(tmp_path / "b.parquet", id=[1], sold_at=instants(NOON))
    assert examples_of(shown, log_files("ads/sales", sold, time="sold_at"))["label"].tolist() == [1]


@pytest.mark.parametrize("join", [{"keys": ("id",), "by_id": True}, {"keys": ("user", "item"), "by_id": False}])
def test_the_rows_written_are_those_of_the_frame(join: dict[str, Any], tmp_path: Path, random_log: Frames) -> None:
    rng = np.random.default_rng(3)
    logs = []
    for name in ("shown", "sales"):
        files = _in_parts(tmp_path / name, random_log(rng, 200), 3, rng)
        logs.append(log_files(f"ads/{name}", *files, key=("row",), known="known"))
    asked = query(*logs, **join, within=2 * HOUR)
    target = tmp_path / "it's a name [1] *.parquet"
    reader = ExampleReader()
    reader.write_examples(target, asked)
    expected = ExampleReader().examples(asked)
    found = pd.read_parquet(target)
    assert 0 < found["label"].sum() < len(found)
    assert list(found.columns) == list(expected.columns)
    assert_frame_equal(
        found.sort_values("row", ignore_index=True).astype(expected.dtypes),
        expected.sort_values("row", ignore_index=True),
    )
    assert hash_frame(found.astype(expected.dtypes)) == hash_frame(expected)
    assert [(read.role, read.rows) for read in reader.reads] == [("exposures", 200), ("outcomes", 198)]


def test_a_file_that_is_there_is_replaced_once_all_is_written(tmp_path: Path, outcomes: LogFiles) -> None:
    target, folder = tmp_path / "made" / "examples.parquet", tmp_path / "logs"
    target.parent.mkdir()
    shown = written(folder / "a.parquet", id=[1, 2], time=instants(NOON, NOON))
    ExampleReader().write_examples(target, query(log_files("ads/shown", shown), outcomes))
    first = target.read_bytes()
    torn = written(folder / "b.parquet", value=["word"], id=[1], time=instants(NOON))
    page = pq.read_metadata(torn).row_group(0).column(0)
    content = bytearray(torn.read_bytes())
    content[4 : 4 + page.total_compressed_size] = b"\xff" * page.total_compressed_size
    torn.write_bytes(content)
    with pytest.raises(duckdb.Error):
        ExampleReader().write_examples(target, query(log_files("ads/shown", torn), outcomes))
    assert target.read_bytes() == first
    assert list(target.parent.iterdir()) == [target]
    ExampleReader().write_examples(target, query(outcomes, outcomes))
    assert pd.read_parquet(target)["time"].tolist() == [NOON + HOUR / 2]
