"""Labelled examples read from real Parquet files."""

import gc
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from ml_assets.data.content import hash_frame
from ml_assets.data.engine import EventLogError
from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.log_files import ExamplesQuery, HistoryFiles, LogFiles, PartitionFiles
from ml_assets.data.log_rows import Read
from ml_assets.domain.calendar import Interval
from ml_assets.domain.event_log import Columns
from ml_assets.domain.history import Feature
from ml_assets.temporary import PREFIX

Frames = Callable[..., pd.DataFrame]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = Interval(NOON - 12 * HOUR, NOON + 12 * HOUR)


def instants(*times: datetime, unit: str = "us", zone: str | None = "UTC", plus_ns: int = 0) -> pa.Array:
    since_1970 = pd.DatetimeIndex(times).tz_localize(None).as_unit("ns").asi8 + plus_ns
    return pa.array(since_1970, pa.timestamp("ns")).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))


def written(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def log_files(log: str, /, *files: Path, schema_file: Path | None = None, **columns: Any) -> LogFiles:
    names = Columns(**({"time": "time", "key": ("id",)} | columns))
    return LogFiles(log, (PartitionFiles("2026-03-01", DAY, files),), schema_file, Selection(names, DAY, None))


def query(exposures: LogFiles, outcomes: LogFiles, **changes: Any) -> ExamplesQuery:
    asked: dict[str, Any] = {"keys": ("id",), "by_id": True, "within": HOUR, "observed_until": DAY.end}
    return ExamplesQuery(exposures, outcomes, **asked | changes)


def examples_of(exposures: LogFiles, outcomes: LogFiles, **changes: Any) -> pd.DataFrame:
    return ExampleReader().examples(query(exposures, outcomes, **changes))


@pytest.fixture
def outcomes(tmp_path: Path) -> LogFiles:
    """One outcome, of exposure 1, half an hour after noon."""
    return log_files("ads/sales", written(tmp_path / "sales.parquet", id=[1], time=instants(NOON + HOUR / 2)))


@pytest.fixture
def column_file(tmp_path: Path) -> Path:
    """A file of another day, which tells the columns alone."""
    return written(tmp_path / "column_file.parquet", id=[1], time=instants(NOON))


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


def test_a_log_without_any_file_is_refused_by_name(outcomes: LogFiles) -> None:
    with pytest.raises(EventLogError, match="ads/shown has no Parquet file at all"):
        examples_of(log_files("ads/shown"), outcomes)


def test_missing_columns_are_named_with_their_log(tmp_path: Path, outcomes: LogFiles) -> None:
    file = written(tmp_path / "a.parquet", id=[1], at=instants(NOON))
    shown = log_files("ads/shown", file, known="ingested_at", key=("id", "row"))
    with pytest.raises(
        EventLogError,
        match=r"ads/shown .*/a\.parquet: it lacks row, time, ingested_at, user; it has id, at",
    ):
        examples_of(shown, outcomes, keys=("user",))


def test_the_outcome_log_needs_the_join_columns_too(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], user=[1], time=instants(NOON)))
    with pytest.raises(EventLogError, match=r"ads/sales .*\.parquet: it lacks user; it has "):
        examples_of(shown, outcomes, keys=("user",))


@pytest.mark.parametrize("naive", ["time", "known"])
def test_times_without_a_time_zone_are_refused(naive: str, tmp_path: Path, outcomes: LogFiles) -> None:
    columns = {name: instants(NOON, zone=None if name == naive else "UTC") for name in ("time", "known")}
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], **columns), known="known")
    with pytest.raises(
        EventLogError, match=rf"ads/shown .*: column {naive} is timestamp\[..\]; write .* with a time zone"
    ):
        examples_of(shown, outcomes)


@pytest.mark.parametrize("first", ["a.parquet", "c.parquet"])
def test_one_file_without_a_time_zone_among_others_is_refused_by_name(
    first: str, tmp_path: Path, outcomes: LogFiles
) -> None:
    """Read together, its times would be taken for UTC."""
    aware = written(tmp_path / "b.parquet", id=[1], time=instants(NOON))
    naive = written(tmp_path / first, id=[1], time=instants(NOON, zone=None))
    with pytest.raises(EventLogError, match=rf"ads/shown .*{first}: column time is timestamp.* with a time zone"):
        examples_of(log_files("ads/shown", *sorted([aware, naive])), outcomes)


def test_a_time_that_is_no_timestamp_is_refused(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], time=["2026-03-01T12:00Z"]))
    with pytest.raises(EventLogError, match="column time is string; write timestamps"):
        examples_of(shown, outcomes)


def test_a_file_that_cannot_be_read_is_named_with_its_log(tmp_path: Path, outcomes: LogFiles) -> None:
    good = written(tmp_path / "a.parquet", id=[1], time=instants(NOON))
    bad = tmp_path / "b.parquet"
    bad.write_bytes(b"PAR1 and then the power went")
    with pytest.raises(EventLogError, match=rf"^event log ads/shown cannot be read: {bad}: "):
        examples_of(log_files("ads/shown", good, bad), outcomes)


def test_a_file_that_has_gone_is_named_with_its_log(tmp_path: Path, outcomes: LogFiles) -> None:
    with pytest.raises(EventLogError, match=r"^event log ads/shown cannot be read: .*gone\.parquet"):
        examples_of(log_files("ads/shown", tmp_path / "gone.parquet"), outcomes)


def test_a_column_that_labelling_adds_is_refused(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=[1], time=instants(NOON), label=[1]))
    with pytest.raises(ValueError, match=r"columns \['label'\], which labelling adds"):
        examples_of(shown, outcomes)


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


# --- columns that nobody uses

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


# --- rows outside of their partition


def a_day(zone: str) -> Interval:
    """The first of March there."""
    start = datetime(2026, 3, 1, tzinfo=ZoneInfo(zone))
    return Interval(start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC))


def filed(path: Path, *times: datetime, interval: Interval = DAY, **options: Any) -> LogFiles:
    """A log with one partition that holds, or should hold, the instants of the interval."""
    table = pa.table({"id": range(len(times)), "time": instants(*times)})
    pq.write_table(table, path, **options)
    names = Columns("time", ("id",))
    return LogFiles(
        "ads/shown", (PartitionFiles("2026-03-01", interval, (path,)),), None, Selection(names, interval, None)
    )


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


# --- straight to a file


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


# --- memory


@pytest.fixture
def many(tmp_path: Path) -> LogFiles:
    """Some 50 MB of rows, which are sorted in memory or on disk."""
    rows = 400_000
    order = np.random.default_rng(0).permutation(rows)
    words = pa.array([f"{number:0100d}" for number in order])
    return log_files(
        "ads/shown", written(tmp_path / "many.parquet", id=order, time=instants(NOON).take([0] * rows), word=words)
    )


def test_what_does_not_fit_into_memory_is_spilled_and_comes_out_the_same(
    many: LogFiles, outcomes: LogFiles, tmp_path: Path
) -> None:
    little, much = ExampleReader(memory="100MB"), ExampleReader()
    assert_frame_equal(little.examples(query(many, outcomes)), much.examples(query(many, outcomes)))
    little.write_examples(tmp_path / "written.parquet", query(many, outcomes))
    assert pq.read_metadata(tmp_path / "written.parquet").num_rows == 400_000


def test_too_little_memory_is_refused_by_the_name_of_its_setting(
    many: LogFiles, outcomes: LogFiles, tmp_path: Path
) -> None:
    refused = pytest.raises(EventLogError, match=r"memory is '1MB', too little .* a larger `memory`")
    with refused:
        ExampleReader(memory="1MB").examples(query(many, outcomes))
    with refused:
        ExampleReader(memory="1MB").write_examples(tmp_path / "written.parquet", query(many, outcomes))
    assert not list(tmp_path.glob("written*"))


@pytest.mark.parametrize("memory", ["lots", "2", "80%"])
def test_memory_that_is_no_size_is_refused(memory: str) -> None:
    with pytest.raises(ValueError, match=f"memory is '{memory}'; write a size such as '2GB'"):
        ExampleReader(memory=memory)


def test_the_reader_takes_what_it_spilled_with_it(
    many: LogFiles, outcomes: LogFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    reader = ExampleReader(memory="100MB")
    reader.examples(query(many, outcomes))
    assert len(list(tmp_path.glob(f"{PREFIX}*"))) == 1
    del reader
    gc.collect()
    assert not list(tmp_path.glob(f"{PREFIX}*"))


# --- what was read


def reads_of(exposures: LogFiles, outcomes: LogFiles) -> list[Read]:
    reader = ExampleReader()
    reader.examples(query(exposures, outcomes))
    return reader.reads


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


#: A float stands for this number and its neighbours.
LARGE = 2**53


def test_no_float_in_one_file_makes_one_of_ids_that_differ(tmp_path: Path) -> None:
    """Read as one table with it, all ids would be floats, and three exposures would meet the outcome of one."""
    shown = written(tmp_path / "a.parquet", id=[LARGE, LARGE + 1, LARGE + 2, 7], time=instants(*[NOON] * 4))
    alone = log_files("ads/shown", shown)
    sold = log_files("ads/sales", written(tmp_path / "sold.parquet", id=[LARGE, 7], time=instants(NOON, NOON)))
    found = examples_of(alone, sold).set_index("id")["label"]
    assert found.to_dict() == {LARGE: 1, LARGE + 1: 0, LARGE + 2: 0, 7: 1}
    lost = written(tmp_path / "b.parquet", id=[None, 3.0], time=instants(NOON, NOON))
    both = log_files("ads/shown", shown, lost)
    why = r"ads/shown .*/b\.parquet: column id is double, and int64 in most files; keys are integers"
    for logs in ((both, sold), (sold, both)):
        with pytest.raises(EventLogError, match=why):
            examples_of(*logs)


@pytest.mark.parametrize("other", [["1"], [1.0], [b"1"], pa.array([1]).cast(pa.decimal128(19, 0))])
def test_logs_whose_keys_are_of_two_kinds_are_refused_with_both(other: Any, tmp_path: Path, outcomes: LogFiles) -> None:
    shown = log_files("ads/shown", written(tmp_path / "a.parquet", id=other, time=instants(NOON)))
    with pytest.raises(EventLogError, match=r"ads/(shown|sales) .*\.parquet: column id is .*"):
        examples_of(shown, outcomes)


def test_a_column_that_one_file_lacks_is_no_column_of_nulls(tmp_path: Path, outcomes: LogFiles) -> None:
    files = [
        written(tmp_path / "a.parquet", id=[1], time=instants(NOON), known=instants(NOON)),
        written(tmp_path / "b.parquet", id=[2], time=instants(NOON)),
    ]
    with pytest.raises(EventLogError, match=r"ads/shown .*/b\.parquet: it lacks known \(timestamp\[us, tz=UTC\]"):
        examples_of(log_files("ads/shown", *files, known="known"), outcomes)
    renamed = written(tmp_path / "c.parquet", row=[1], visit=[1], time=instants(NOON))
    sold = log_files("ads/sales", *outcomes.files, renamed, key=("time",))
    shown = log_files("ads/shown", files[0])
    with pytest.raises(EventLogError, match=r"ads/sales .*/c\.parquet: it lacks id \(int64 in most files\)"):
        examples_of(shown, sold)


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


def test_a_history_whose_keys_are_floats_in_one_file_is_refused(tmp_path: Path, outcomes: LogFiles) -> None:
    shown = examples_of(outcomes, outcomes)
    files = [
        written(tmp_path / "a.parquet", id=[1], row=[1], price=[1], time=instants(NOON)),
        written(tmp_path / "b.parquet", id=[2.0], row=[2], price=[1], time=instants(NOON)),
    ]
    features = {"paid": Feature("sum", "price")}
    history = HistoryFiles(log_files("ads/paid", *files, key=("row",)), ("id",), HOUR, features)
    with pytest.raises(EventLogError, match=r"ads/paid .*/b\.parquet: column id is double, and int64 in most files"):
        ExampleReader().with_history(shown, [history], time="time")
    changed = written(tmp_path / "b.parquet", id=[2], row=[2], price=[0.5], time=instants(NOON))
    history = HistoryFiles(log_files("ads/paid", files[0], changed, key=("row",)), ("id",), HOUR, features)
    with pytest.raises(EventLogError, match=r"ads/paid .*/b\.parquet: column price is double, but int64 in most files"):
        ExampleReader().with_history(shown, [history], time="time")


def test_a_history_without_a_type_is_that_of_nobody(tmp_path: Path) -> None:
    sold = log_files("ads/sold", written(tmp_path / "s.parquet", id=["a"], time=instants(NOON)))
    shown = examples_of(sold, sold)
    log = log_files("ads/paid", written(tmp_path / "a.parquet", id=pa.nulls(1), time=instants(NOON)))
    history = HistoryFiles(log, ("id",), HOUR, {"paid": Feature("count", None)})
    assert ExampleReader().with_history(shown, [history], time="time")["paid"].tolist() == [0]
    assert ExampleReader().with_history(shown.assign(id=None), [history], time="time")["paid"].tolist() == [0]
