"""Spark's tables: stored and hashed by the executors, with the data version of the same rows in pandas."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.data.artifacts.tables import read_table
from tests.support.spark import JAVA, NO_JAVA, local_session

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not JAVA, reason=NO_JAVA)]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with local_session() as session:
        yield session


def frame(rows: int) -> pd.DataFrame:
    """Each dtype that logs and labels have, with and without what is missing."""
    rng = np.random.default_rng(1)
    numbers = np.arange(rows)
    times = np.datetime64("2026-03-01T12:00:00.123456", "us") + numbers.astype("timedelta64[s]")
    return pd.DataFrame(
        {
            "time": pd.DatetimeIndex(times).tz_localize("UTC"),
            "id": rng.permutation(rows) + 2**62,
            "word": [None if number % 7 == 0 else f"é{number % 11}" for number in numbers],
            "label": (numbers % 2).astype("int8"),
            "amount": np.where(numbers % 5 == 0, np.nan, rng.normal(size=rows)),
            "share": rng.random(rows).astype("float32"),
            "mature": numbers % 3 == 0,
            "seen": pd.array(np.where(numbers % 4 == 0, None, numbers % 3 == 0), dtype="boolean"),
            "count": pd.array(np.where(numbers % 4 == 1, None, numbers), dtype="Int64"),
            "day": [None if number % 9 == 0 else date(2026, 1, 1 + number % 28) for number in numbers],
            "price": [Decimal(int(number)) / 4 for number in numbers],
        }
    )


@pytest.mark.parametrize("rows", [0, 3000])
def test_a_stored_table_has_the_rows_the_order_and_the_data_version_of_the_pandas_frame(
    rows: int, tmp_path: Path, spark: Any
) -> None:
    from ml_assets.data.engines.spark_tables import from_pandas, hash_spark, read_stored, to_pandas, write_table

    expected = frame(rows) if rows else frame(9).iloc[:0].astype({"count": "int64", "seen": "bool"})
    given = from_pandas(spark, expected.sample(frac=1, random_state=0)).repartition(5)
    stored = write_table(given, tmp_path / "data.parquet", order=["time", "id"])
    assert (tmp_path / "data.parquet").is_dir()
    collected = to_pandas(given).sort_values("time", ignore_index=True)
    assert_frame_equal(read_table(tmp_path / "data.parquet"), collected)
    assert hash_spark(stored) == hash_spark(given) == hash_frame(collected)
    assert hash_frame(to_pandas(read_stored(spark, tmp_path / "data.parquet"))) == hash_frame(collected)
    assert_frame_equal(collected, to_pandas(from_pandas(spark, expected)))


def test_one_row_that_differs_or_is_there_twice_changes_the_data_version(spark: Any) -> None:
    from ml_assets.data.engines.spark_tables import from_pandas, hash_spark

    rows = frame(50)[["id", "amount"]]
    changed = rows.assign(amount=rows["amount"].where(rows["id"] != rows["id"][7], 0.5))
    twice = pd.concat([rows, rows.head(1)])
    versions = [hash_spark(from_pandas(spark, one)) for one in (rows, changed, twice)]
    assert versions == [hash_frame(one) for one in (rows, changed, twice)]
    assert len(set(versions)) == 3


def test_lists_structs_and_maps_have_the_data_version_of_the_pandas_frame(tmp_path: Path, spark: Any) -> None:
    from ml_assets.data.engines.spark_tables import hash_spark, read_stored, to_pandas

    columns = {
        "id": pa.array([1, 2, 3]),
        "tags": pa.array([["a", None], [], None]),
        "matrix": pa.array([[[1, 2], None], [[]], [[3]]]),
        "place": pa.array([{"shop": "é", "shelf": 1}, {"shop": None, "shelf": None}, None]),
        "seen": pa.array([[("a", 0.5), ("b", None)], [], None], pa.map_(pa.string(), pa.float64())),
    }
    versions = []
    for tags in (columns["tags"], pa.array([[None, "a"], [], None])):
        pq.write_table(pa.table({**columns, "tags": tags}), tmp_path / "data.parquet")
        stored = read_stored(spark, tmp_path / "data.parquet")
        versions.append(hash_spark(stored))
        assert versions[-1] == hash_frame(to_pandas(stored))
    assert versions[0] != versions[1]


def test_what_pandas_wrote_is_read_by_the_executors(tmp_path: Path, spark: Any) -> None:
    from ml_assets.data.engines.spark_tables import read_stored, to_pandas

    expected = frame(100)
    path = tmp_path / "date=2026-03-01" / "data.parquet"
    path.parent.mkdir()
    expected.to_parquet(path, index=False)
    assert_frame_equal(to_pandas(read_stored(spark, path)), read_table(path))


def test_a_path_of_s3_is_spelled_as_hadoop_does() -> None:
    from ml_assets.data.engines.spark_tables import spark_path

    assert spark_path("s3://bucket/a b") == "s3a://bucket/a b"
    assert spark_path(Path("/data/x")) == "/data/x"
