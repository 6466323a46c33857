"""Spark frames for notebooks that ask for them; what reads and stores is pandas and Arrow.

A session is the one that the notebook has made, or a local one with the settings of the installation
(`spark-defaults.conf`). It ends with the notebook's kernel.
"""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd
import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: What a notebook may ask for.
Kind = Literal["pandas", "spark"]
Frame: TypeAlias = "pd.DataFrame | DataFrame"


def is_spark(frame: Any) -> bool:
    """Whether it is a Spark frame."""
    return hasattr(frame, "toArrow")


def to_pandas(frame: Frame) -> pd.DataFrame:
    """The frame as pandas: instants aware, in UTC.

    Raises: TypeError for what is neither a pandas nor a Spark frame.
    """
    if isinstance(frame, pd.DataFrame):
        return frame
    if not is_spark(frame):
        raise TypeError(f"{type(frame).__name__} is no table: pandas or Spark frames are")
    frame.sparkSession.conf.set("spark.sql.session.timeZone", "UTC")
    return frame.toArrow().to_pandas()


def given_as(frame: pd.DataFrame, kind: Kind) -> Any:
    """A pandas frame as the kind that was asked for.

    Raises: ValueError for another kind, or for instants finer than the microseconds that Spark has.
    """
    if kind == "pandas":
        return frame
    if kind != "spark":
        raise ValueError(f"frame is {kind!r}: pandas and spark are known")
    from pyspark.sql import SparkSession

    table = pa.Table.from_pandas(frame, preserve_index=False)
    fields = [field.with_type(_spark_type(field.type)) for field in table.schema]
    session = SparkSession.builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    return session.createDataFrame(table.cast(pa.schema(fields)))


def _spark_type(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else kind
