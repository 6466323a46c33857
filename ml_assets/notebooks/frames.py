"""Spark frames for notebooks that ask for them; what reads and stores is pandas and Arrow.

A session is the one that the notebook has made, or a local one with the settings of the installation
(`spark-defaults.conf`). It ends with the notebook's kernel.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd
import pyarrow as pa

from ml_assets.notebooks.order import TABLE
from ml_assets.paths import AnyPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: What a notebook may ask for.
Kind = Literal["pandas", "spark"]
Frame: TypeAlias = "pd.DataFrame | DataFrame"
_NULLABLE = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
}
#: Spark has no unsigned numbers.
_WIDER = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64()}


def is_spark(frame: Any) -> bool:
    """Whether it is a Spark frame."""
    return hasattr(frame, "toArrow")


def to_pandas(frame: Frame) -> pd.DataFrame:
    """The frame as pandas: instants aware, in UTC; whole numbers and booleans nullable where some are missing.

    Raises: TypeError for what is neither a pandas nor a Spark frame.
    """
    if isinstance(frame, pd.DataFrame):
        return frame
    if not is_spark(frame):
        raise TypeError(f"{type(frame).__name__} is no table: pandas or Spark frames are")
    table = frame.toArrow()
    result = table.to_pandas(types_mapper=_NULLABLE.get)
    plain = [field for field in table.schema if field.type in _NULLABLE and not table[field.name].null_count]
    return result.astype({field.name: field.type.to_pandas_dtype() for field in plain})


def read_table(folder: AnyPath) -> pd.DataFrame:
    """The table of an artifact."""
    path = folder / TABLE
    return pd.read_parquet(path) if isinstance(path, Path) else pd.read_parquet(path.path, filesystem=path.fs)


def given_as(frame: pd.DataFrame, kind: Kind) -> Any:
    """A pandas frame as the kind that was asked for.

    Raises: ValueError for another kind, or for a column that Spark cannot hold as it is, such as instants finer than
    microseconds.
    """
    if kind == "pandas":
        return frame
    if kind != "spark":
        raise ValueError(f"frame is {kind!r}: pandas and spark are known")
    from pyspark.sql import SparkSession

    table = pa.Table.from_pandas(frame, preserve_index=False)
    columns = [_spark_column(name, table[name]) for name in table.column_names]
    session = SparkSession.builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session.createDataFrame(pa.table(columns, names=table.column_names))


def _spark_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = pa.timestamp("us", column.type.tz) if pa.types.is_timestamp(column.type) else column.type
    kind = _WIDER.get(kind, kind)
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        raise ValueError(f"column {name!r} is {column.type}, which Spark has as {kind} alone: {error}") from error
