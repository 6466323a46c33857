"""Tables as a notebook asked for them; through Spark and back they are what they were."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.notebooks.frames import given_as, is_spark, to_pandas

MICROSECOND = pd.Timestamp("2026-03-01T12:00:00.123456Z")
#: As parquet files of the store are read: each dtype that event logs and labels have.
FRAME = pd.DataFrame(
    {
        "word": ["phone", None, "naïve"],
        "id": [2**62 + 1, 2, -3],
        "label": np.array([0, 1, 1], dtype="int8"),
        "amount": [0.1, np.nan, 1e300],
        "share": np.array([0.1, 2, np.nan], dtype="float32"),
        "mature": [True, False, True],
        "event_time": pd.Series([MICROSECOND, MICROSECOND, pd.NaT]).dt.as_unit("us"),
        "count": pd.array([2**62 + 1, None, 3], dtype="Int64"),
        "seen": pd.array([True, None, False], dtype="boolean"),
    }
)


def test_a_pandas_frame_is_given_as_it_is() -> None:
    assert given_as(FRAME, "pandas") is FRAME
    assert to_pandas(FRAME) is FRAME
    assert not is_spark(FRAME)


@pytest.mark.parametrize("kind", ["polars", "", None])
def test_another_kind_of_frame_is_refused(kind: Any) -> None:
    with pytest.raises(ValueError, match=f"^frame is {kind!r}: pandas and spark are known$"):
        given_as(FRAME, kind)


@pytest.mark.parametrize(
    "value", [None, [1, 2], {"a": [1]}, np.zeros((2, 2)), pd.Series([1])], ids=lambda v: str(type(v))
)
def test_what_is_no_table_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{type(value).__name__} is no table: pandas or Spark frames are$"):
        to_pandas(value)


@pytest.mark.parametrize(
    ("column", "types"),
    [
        (pd.Series([MICROSECOND + pd.Timedelta(1, "ns")]), r"timestamp\[ns, tz=UTC\], .* timestamp\[us, tz=UTC\]"),
        (pd.Series([2**63], dtype="uint64"), "uint64, which Spark has as int64"),
    ],
    ids=["nanoseconds", "unsigned"],
)
def test_a_value_that_spark_cannot_hold_is_refused_before_a_session_is_made(
    column: pd.Series, types: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkSession, "builder", None)
    with pytest.raises(ValueError, match=f"^column 'strange' is {types} alone: .*"):
        given_as(pd.DataFrame({"plain": [1], "strange": column}), "spark")


@pytest.mark.slow
@pytest.mark.parametrize("rows", [slice(None), slice(0, 1), slice(0, 0)], ids=["all", "without nulls", "none"])
def test_a_table_comes_back_from_spark_as_it_was(rows: slice, spark: Any) -> None:
    frame = FRAME.iloc[rows]
    # Where nothing is missing, numbers and booleans are plain.
    if not frame["count"].isna().any():
        frame = frame.astype({"count": "int64", "seen": "bool"})
    given = given_as(frame, "spark")
    assert is_spark(given)
    back = to_pandas(given)
    assert_frame_equal(back, frame)
    assert hash_frame(back) == hash_frame(frame)


@pytest.mark.slow
def test_spark_sees_instants_words_and_numbers_as_its_own(spark: Any) -> None:
    types = dict(given_as(FRAME, "spark").dtypes)
    assert types == {
        "word": "string",
        "id": "bigint",
        "label": "tinyint",
        "amount": "double",
        "share": "float",
        "mature": "boolean",
        "event_time": "timestamp",
        "count": "bigint",
        "seen": "boolean",
    }


@pytest.mark.slow
def test_instants_are_in_utc_whatever_the_zone_of_frame_or_session(spark: Any) -> None:
    frame = FRAME[["event_time"]]
    tokyo = frame.assign(event_time=frame["event_time"].dt.tz_convert("Asia/Tokyo"))
    assert_frame_equal(to_pandas(given_as(tokyo, "spark")), frame)
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    made_here = spark.sql("SELECT TIMESTAMP '2026-03-01 21:00:00.123456' AS event_time")
    assert_frame_equal(to_pandas(made_here), frame.head(1))
    assert spark.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"


@pytest.mark.slow
def test_days_and_hours_of_what_a_notebook_is_given_are_those_of_utc(spark: Any) -> None:
    spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    given = given_as(FRAME[["event_time"]].head(1), "spark")
    assert given.selectExpr("hour(event_time)").first()[0] == 12


@pytest.mark.slow
def test_nanoseconds_without_a_fraction_of_a_microsecond_lose_nothing(spark: Any) -> None:
    instants = pd.DataFrame({"event_time": FRAME["event_time"].dt.as_unit("ns")})
    assert_frame_equal(to_pandas(given_as(instants, "spark")), FRAME[["event_time"]])


@pytest.mark.slow
def test_unsigned_numbers_become_wider_signed_ones(spark: Any) -> None:
    kinds = {"uint8": "int16", "uint16": "int32", "uint32": "int64", "uint64": "int64"}
    frame = pd.DataFrame({kind: pd.Series([200, 7], dtype=kind) for kind in kinds})
    assert_frame_equal(to_pandas(given_as(frame, "spark")), frame.astype(kinds))


@pytest.mark.slow
def test_rows_of_an_index_of_their_own_keep_their_order_and_lose_the_index(spark: Any) -> None:
    frame = pd.DataFrame({"id": range(5000)}).sample(frac=1, random_state=0)
    assert to_pandas(given_as(frame, "spark"))["id"].tolist() == frame["id"].tolist()


@pytest.mark.slow
def test_the_session_is_the_one_that_the_notebook_made(spark: Any) -> None:
    assert given_as(FRAME, "spark").sparkSession.sparkContext is spark.sparkContext
