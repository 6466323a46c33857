"""The same expressions by Spark and by DuckDB: equal rows, equal dtypes, equal data versions."""

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.data.engines.engine import EventLogError
from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.logs.log_files import ExamplesQuery, HistoryFiles, LogFiles, PartitionFiles
from ml_assets.domain.calendar import Calendar, Interval
from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.history import Feature
from tests.data.both_engines import (
    CLOCKS,
    FEATURES,
    JOINS,
    assert_same,
    events,
    in_days,
    one_partition,
    priced,
    written,
)
from tests.support.projects import REPOSITORY
from tests.support.spark import JAVA, NO_JAVA, local_session

Frames = Callable[..., pd.DataFrame]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not JAVA, reason=NO_JAVA)]

SAMPLE = REPOSITORY.parent / "shared" / "data" / "taobao_userbehavior_sample" / "UserBehavior.parquet"
HOUR = timedelta(hours=1)
START = datetime(2026, 3, 1, tzinfo=ZoneInfo("UTC"))


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with local_session() as session:
        yield session


@pytest.fixture(scope="module")
def by_spark(spark: Any) -> Callable[[], ExampleReader]:
    from ml_assets.data.engines.spark_engine import SparkEngine

    engine = SparkEngine(spark)
    return lambda: ExampleReader(spark=engine)


@pytest.mark.parametrize("join", JOINS)
def test_random_logs_with_corrections_and_retractions_are_labelled_alike(
    join: str, tmp_path: Path, random_log: Frames, by_spark: Callable[[], ExampleReader]
) -> None:
    rng = np.random.default_rng(17)
    day = Interval(START, START + 8 * HOUR)
    logs = []
    for name in ("shown", "sold"):
        frame = random_log(rng, 400).assign(gone=pd.array(rng.choice([True, False, None], 400), dtype="boolean"))
        frame["row"] = rng.integers(0, 150, 400)
        frame["time"] = frame["time"].clip(
            lower=pd.Timestamp(day.start), upper=pd.Timestamp(day.end) - pd.Timedelta("1us")
        )
        files = written(tmp_path / name, frame)
        logs.append(
            one_partition(name, *files, interval=day, known_before=START + 7 * HOUR, known="known", deleted="gone")
        )
    options = {**JOINS[join], "within": 2 * HOUR, "observed_until": START + 7 * HOUR}
    examples = assert_same(by_spark(), *logs, **options)
    assert 0 < examples["label"].sum() < len(examples)
    assert examples["id"].isna().any()


@settings(max_examples=6, database=None, suppress_health_check=list(HealthCheck))
@given(
    shown=events, sold=events, clocks=st.sampled_from(CLOCKS), by_id=st.booleans(), hours=st.sampled_from([1, 24, 25])
)
def test_days_on_which_clocks_change_are_labelled_alike(
    shown: list[Any],
    sold: list[Any],
    clocks: datetime,
    by_id: bool,
    hours: int,
    tmp_path_factory: pytest.TempPathFactory,
    by_spark: Callable[[], ExampleReader],
) -> None:
    folder = tmp_path_factory.mktemp("clocks")
    calendar = Calendar(every="day", start=clocks.date(), timezone="Europe/Berlin")
    days = [calendar.interval(index) for index in range(4)]
    logs = [in_days(folder / name, rows, clocks, days) for name, rows in (("shown", shown), ("sold", sold))]
    options = {"keys": ("user", "item"), "by_id": by_id, "within": hours * HOUR, "observed_until": days[1].end}
    assert_same(by_spark(), *logs, **options)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "columns",
    [{}, {"known": "known"}, {"known": "known", "deleted": "gone"}],
    ids=["plain", "corrected", "retractable"],
)
def test_history_is_alike_for_pandas_and_for_spark_frames(
    columns: dict[str, str], tmp_path: Path, spark: Any, by_spark: Callable[[], ExampleReader]
) -> None:
    from ml_assets.data.engines.spark_tables import from_pandas, to_pandas

    rng = np.random.default_rng(3)
    day = Interval(START, START + 24 * HOUR)
    log = one_partition("visits", *written(tmp_path / "log", priced(rng, 400)), interval=day, **columns)
    histories = [HistoryFiles(log, ("user",), HOUR, FEATURES)]
    examples = priced(rng, 300)[["row", "user", "time"]]
    examples["row"] = range(300)
    expected = ExampleReader().with_history(examples, histories, time="time")
    assert expected["total"].nunique() > 100
    found = by_spark().with_history(examples, histories, time="time")
    assert_frame_equal(found, expected, check_exact=True)
    lazy = by_spark().with_spark_history(from_pandas(spark, examples).repartition(3), histories, time="time")
    rows = to_pandas(lazy).sort_values("row", ignore_index=True)
    assert_frame_equal(rows, to_pandas(from_pandas(spark, expected)), check_exact=True)
    assert hash_frame(rows) == hash_frame(expected.astype({"user": object, "total": "float64"}).astype(rows.dtypes))


def test_history_of_unsigned_columns_has_their_types(tmp_path: Path, by_spark: Callable[[], ExampleReader]) -> None:
    rows = priced(np.random.default_rng(5), 50).assign(
        tiny=np.arange(50, dtype="uint8"), big=np.arange(50, dtype="uint64")
    )
    day = Interval(START, START + 24 * HOUR)
    log = one_partition("visits", *written(tmp_path / "log", rows), interval=day)
    features = {f"{what}_{name}": Feature(what, name) for what in ("last", "min", "max") for name in ("tiny", "big")}
    histories = [HistoryFiles(log, ("user",), 8 * HOUR, features)]
    examples = rows[["row", "user", "time"]]
    expected = ExampleReader().with_history(examples, histories, time="time")
    found = by_spark().with_history(examples, histories, time="time")
    assert {str(expected[name].dtype) for name in features} == {"UInt8", "UInt64"}
    assert_frame_equal(found, expected, check_exact=True)


def test_files_of_other_columns_types_and_names_are_read_as_duckdb_reads_them(
    tmp_path: Path, by_spark: Callable[[], ExampleReader]
) -> None:
    rng = np.random.default_rng(0)
    day = Interval(START, START + 24 * HOUR)
    odd = tmp_path / "date=2026-03-01" / "hour=2026-03-01T00%3A00" / "a [b]{c,d} *é+#"
    odd.mkdir(parents=True)
    times = np.datetime64("2026-03-01", "us") + rng.integers(0, 86_400_000_000, 100).astype("timedelta64[us]")

    def table(unit: str = "us", **columns: Any) -> pa.Table:
        time = pa.array(times).cast(pa.timestamp(unit, "UTC"), safe=False)
        return pa.table({"row": np.arange(100), "time": time, **columns})

    half = [None if number % 2 else number for number in range(100)]
    tables = {
        "nanoseconds": table(
            "ns", tiny=pa.array(half, pa.uint8()), word=pa.array([f"w{one}" for one in half]).dictionary_encode()
        ),
        "milliseconds": table("ms", tiny=pa.array(range(100), pa.uint8()), big=pa.array(range(100), pa.uint64())),
        "wider": table(amount=pa.array([2**40] * 100, pa.int64()), flag=pa.array([None, True] * 50)),
        "narrower": table(
            amount=pa.array(range(100), pa.int32()), day=pa.array([date(2026, 1, 1)] * 100), empty=pa.nulls(100)
        ),
        "naive": table(local=pa.array(times).cast(pa.timestamp("ns"))),
    }
    # Rows of another day, which count in their own partition alone.
    strays = table(word=pa.array(["stray"] * 100))
    old = pa.array([datetime(2025, 1, 1)] * 5 + [None] * 95, pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    shifted = pc.coalesce(old, strays["time"])
    tables["stray = %41"] = strays.set_column(1, "time", shifted)
    for name, one in tables.items():
        pq.write_table(one, odd / f"{name}.parquet")
    shown = one_partition("shown", *(odd / f"{name}.parquet" for name in tables), interval=day)
    sold = one_partition("sold", odd / "milliseconds.parquet", interval=day)
    examples = assert_same(by_spark(), shown, sold, keys=("row",), by_id=True, within=HOUR, observed_until=day.end)
    assert len(examples) == 595
    assert str(examples["tiny"].dtype) == "UInt8"


def test_what_spark_cannot_read_is_an_error_that_names_the_log(
    tmp_path: Path, by_spark: Callable[[], ExampleReader]
) -> None:
    file = tmp_path / "times.parquet"
    long = pa.array([Decimal("1.5")], pa.decimal256(50, 1))
    pq.write_table(pa.table({"row": [1], "time": pa.array([0], pa.timestamp("us", "UTC")), "long": long}), file)
    log = one_partition("shown", file, interval=Interval(START, START + HOUR))
    with pytest.raises(EventLogError, match=r"(?s)^event log shown cannot be read: .*PRECISION"):
        by_spark().examples(ExamplesQuery(log, log, keys=("row",), by_id=True, within=HOUR, observed_until=START))


def test_frames_of_spark_are_asked_of_spark_alone() -> None:
    with pytest.raises(TypeError, match="only where the engine is spark"):
        ExampleReader().with_spark_history(pd.DataFrame({"time": []}), [], time="time")  # type: ignore[arg-type]


@pytest.mark.skipif(not SAMPLE.exists(), reason=f"the Taobao sample is not there ({SAMPLE.name} in shared/data)")
@pytest.mark.parametrize("days", [1, 3])
def test_labels_of_real_clicks_are_those_of_duckdb(
    days: int, tmp_path: Path, by_spark: Callable[[], ExampleReader]
) -> None:
    raw = pd.read_parquet(SAMPLE)
    raw = raw.assign(time=pd.to_datetime(raw["timestamp"], unit="s", utc=True), row=range(len(raw)))
    shanghai = ZoneInfo("Asia/Shanghai")
    calendar = Calendar(every="day", start=date(2017, 11, 25), timezone="Asia/Shanghai")
    logs = []
    for kind in ("pv", "buy"):
        partitions = []
        rows = raw[raw["behavior_type"] == kind]
        local = rows["time"].dt.tz_convert(shanghai).dt.date.clip(lower=calendar.start)
        for index in range(9):
            key = calendar.key(index)
            path = tmp_path / kind / f"date={key}" / "part-0.parquet"
            path.parent.mkdir(parents=True)
            rows[local == date.fromisoformat(key)].to_parquet(path, index=False)
            partitions.append(PartitionFiles(key, calendar.interval(index), (path,)))
        interval = Interval(partitions[0].interval.start, partitions[-1].interval.end)
        selection = Selection(Columns("time", ("row",)), interval, None)
        logs.append(LogFiles(kind, tuple(partitions), None, selection))
    options = {"keys": ("user_id", "item_id"), "by_id": False, "within": timedelta(days=days)}
    examples = assert_same(by_spark(), *logs, **options, observed_until=logs[0].selection.interval.end)
    assert len(examples) > 70_000
    assert examples["label"].sum() > 100


@pytest.mark.parametrize("how", ["no row", "nulls"])
def test_columns_without_a_type_have_that_of_the_others(
    how: str, tmp_path: Path, by_spark: Callable[[], ExampleReader]
) -> None:
    day = Interval(START, START + 8 * HOUR)
    frame = pd.DataFrame({"id": ["a"], "time": [START + HOUR], "row": ["a"], "known": [START], "gone": [False]})
    frame = frame.assign(other=frame["known"])
    nothing = frame.iloc[:0] if how == "no row" else frame.assign(id=None, known=None, gone=None, other=None)
    logs = {}
    for name, second in (("some", frame), ("none", nothing)):
        files = [tmp_path / f"{name}-{number}.parquet" for number in range(2)]
        for file, rows in zip(files, [nothing, second], strict=True):
            rows.astype(dict.fromkeys(("id", "known", "gone"), object)).to_parquet(file, index=False)
        logs[name] = one_partition(name, *files, interval=day, known="known", deleted="gone")
    options: dict[str, Any] = {"keys": ("id",), "by_id": True, "within": HOUR, "observed_until": day.end}
    for pair in (("some", "some"), ("some", "none"), ("none", "some"), ("none", "none")):
        assert_same(by_spark(), *(logs[name] for name in pair), **options)
    history = HistoryFiles(logs["none"], ("id",), HOUR, {"seen": Feature("count", None)})
    shown = ExampleReader().examples(ExamplesQuery(logs["some"], logs["some"], **options))
    expected = ExampleReader().with_history(shown, [history], time="time")
    assert_frame_equal(by_spark().with_history(shown, [history], time="time"), expected)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([b"0" * 16], pa.uuid()),
        pa.array([1], pa.time64("us")),
        pa.array([1], pa.time32("ms")),
        pa.array([np.float16(1)]),
    ],
    ids=str,
)
def test_a_type_that_spark_cannot_read_is_refused_by_the_name_of_file_and_column(
    column: pa.Array, tmp_path: Path, by_spark: Callable[[], ExampleReader], spark: Any
) -> None:
    from pyspark.errors import PySparkException

    day = Interval(START, START + 8 * HOUR)
    times, file = pa.array([START + HOUR], pa.timestamp("us", "UTC")), tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [1], "time": times, "other": column}), file)
    with pytest.raises(PySparkException, match=r"PARQUET_TYPE_ILLEGAL"):
        spark.read.parquet(str(file))
    log = one_partition("shown", file, interval=day, key=("id",))
    options: dict[str, Any] = {"keys": ("id",), "by_id": True, "within": HOUR, "observed_until": day.end}
    assert ExampleReader().examples(ExamplesQuery(log, log, **options))["label"].tolist() == [1]
    why = (
        rf"shown .*/a\.parquet: column other is {re.escape(str(column.type))}, which Spark cannot read; write text, or "
    )
    with pytest.raises(EventLogError, match=why):
        by_spark().examples(ExamplesQuery(log, log, **options))
