"""Tables of Spark: read from Parquet, made of pandas and stored, each as its pandas equal would be, without collecting.

Spark has no unsigned numbers, and times to the microsecond: what is finer or unsigned is read as what Spark has.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import cloudpickle
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  (as everybody calls it)
from pyspark.sql import types as T  # noqa: N812  (likewise)
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_schema

from ml_assets.data.artifacts import content, tables
from ml_assets.data.artifacts.content import hash_rows, hash_sorted
from ml_assets.data.artifacts.store import table_files
from ml_assets.data.artifacts.tables import NULLABLE, arrow_to_pandas, plain_dtypes, without_maps
from ml_assets.data.engines.parquet import read_parquet
from ml_assets.paths import AnyPath

#: Spark has no unsigned numbers.
_WIDER = {pa.uint8(): pa.int16(), pa.uint16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.int64()}
_HASH = "_hash"
#: Turns the order of signed numbers into that of unsigned ones.
_SIGN = np.uint64(1 << 63)
#: Characters that have a meaning in a path that Hadoop is given, and what takes it from them.
_ESCAPED = str.maketrans({character: f"\\{character}" for character in "\\*?[]{},"})


def spark_path(path: AnyPath | str) -> str:
    """A path as Spark spells it: it calls S3 `s3a://`."""
    text = str(path)
    return f"s3a://{text.removeprefix('s3://')}" if text.startswith("s3://") else text


def spark_type(kind: pa.DataType) -> T.DataType:
    """What Spark has instead of a type of Arrow."""
    if pa.types.is_timestamp(kind):
        return T.TimestampType() if kind.tz else T.TimestampNTZType()
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        return T.StringType() if pa.types.is_large_string(kind) else T.BinaryType()
    return from_arrow_type(_WIDER.get(kind, kind))


def from_pandas(session: SparkSession, frame: pd.DataFrame) -> DataFrame:
    """A pandas frame as Spark's.

    Raises: ValueError for a column that Spark cannot hold as it is, such as instants finer than microseconds.
    """
    return session.createDataFrame(as_spark_holds_it(frame))


def as_spark_holds_it(frame: pd.DataFrame) -> pa.Table:
    """A pandas frame with the types that Spark has.

    Raises: ValueError as `from_pandas`.
    """
    table = pa.Table.from_pandas(frame, preserve_index=False)
    return pa.table([_spark_column(name, table[name]) for name in table.column_names], names=table.column_names)


def _spark_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = pa.timestamp("us", column.type.tz) if pa.types.is_timestamp(column.type) else column.type
    # Nothing at all has no type in Parquet.
    kind = pa.string() if pa.types.is_null(kind) else _WIDER.get(kind, kind)
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        raise ValueError(f"column {name!r} is {column.type}, which Spark has as {kind} alone: {error}") from error


def read_files(
    session: SparkSession, files: Sequence[AnyPath], schema: ibis.Schema, *, file_column: str | None = None
) -> DataFrame:
    """The rows of Parquet files, which may have different columns and types.

    Args: `schema`: the columns of all and the types in common, as DuckDB has them; `file_column`: the name of a column
    that holds the file of each row, as `file_name` gives it.
    """
    # Files of one schema are read at once. Nothing is collected here but their footers.
    groups: dict[pa.Schema, list[AnyPath]] = {}
    for file in files:
        groups.setdefault(_schema_of(file), []).append(file)
    frames = []
    for physical, paths in groups.items():
        # Not by folder: those of partitions would add columns, and hold files that were not asked for.
        found = session.read.option("recursiveFileLookup", "true").parquet(
            *(spark_path(path).translate(_ESCAPED) for path in paths)
        )
        columns = [_read_column(name, dtype.to_pyarrow(), physical) for name, dtype in schema.items()]
        source = [F.col("_metadata.file_path").alias(file_column)] if file_column else []
        frames.append(found.select(*columns, *source))
    return reduce(DataFrame.unionByName, frames)


def _schema_of(file: AnyPath) -> pa.Schema:
    with file.open("rb") as opened:
        return pq.read_schema(opened).remove_metadata()


def _read_column(name: str, kind: pa.DataType, physical: pa.Schema) -> Column:
    # Names count without their case, for DuckDB as for Spark.
    stored = next((field for field in physical if field.name.lower() == name.lower()), None)
    target = spark_type(kind)
    # A column without a type has no value either.
    if stored is None or pa.types.is_null(stored.type):
        return F.lit(None).cast(target).alias(name)
    quoted = "`" + stored.name.replace("`", "``") + "`"
    column = F.col(quoted)
    if pa.types.is_timestamp(stored.type) and stored.type.unit == "ns":
        # Read as numbers, since Spark has no such times.
        column = F.timestamp_micros(F.expr(f"{quoted} div 1000"))
        target = T.TimestampType() if stored.type.tz else target
        column = column if stored.type.tz else column.cast(T.TimestampNTZType())
    return column.cast(target).alias(name)


def file_name(session: SparkSession, file: AnyPath) -> str:
    """The name under which Spark knows a file."""
    jvm: Any = session._jvm
    path = jvm.org.apache.hadoop.fs.Path(spark_path(file))
    hadoop = session.sparkContext._jsc.hadoopConfiguration()
    return str(path.getFileSystem(hadoop).makeQualified(path).toUri().toString())


def write_table(frame: DataFrame, path: AnyPath, *, order: Sequence[str] = ()) -> DataFrame:
    """Let the executors write a folder of Parquet files.

    Args: `order`: the columns whose order the rows have, nulls last; none: as they come. Maps have no order.
    Returns: the table as it is stored.
    """
    by = [F.col(f"`{name}`").asc_nulls_last() for name in order if _has_order(frame.schema[name].dataType)]
    rows = frame.orderBy(*by) if by else frame
    rows.write.option("mapreduce.fileoutputcommitter.marksuccessfuljobs", "false").parquet(spark_path(path))
    return frame.sparkSession.read.schema(frame.schema).parquet(spark_path(path))


def _has_order(kind: T.DataType) -> bool:
    match kind:
        case T.ArrayType():
            return _has_order(kind.elementType)
        case T.StructType():
            return all(_has_order(field.dataType) for field in kind)
    return not isinstance(kind, T.MapType)


def read_stored(session: SparkSession, path: AnyPath) -> DataFrame:
    """A stored table: a file that pandas wrote, or a folder of part files."""
    files = table_files(path)
    connection = ibis.duckdb.connect()
    connection.raw_sql("SET TimeZone = 'UTC'")
    return read_files(session, files, read_parquet(connection, files).schema())


def hash_spark(frame: DataFrame) -> str:
    """`content.hash_frame` of the frame as pandas, without collecting it: executors hash and sort, the driver streams.

    The executors need pandas of the driver's version.
    Raises: what PySpark makes of the TypeError of a column that has no hash.
    """
    # These functions alone go to the executors, where this project need not be installed.
    for module in (content, tables, _this_module()):
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    hashed = frame.mapInArrow(_hash_batches, f"{_HASH} long").cache()
    try:
        packed = hashed.orderBy(_HASH).mapInArrow(_pack, f"{_HASH} binary")
        pieces = (np.frombuffer(row[0], np.int64) for row in packed.toLocalIterator())
        return hash_sorted(_like_pandas(frame), (piece.view(np.uint64) ^ _SIGN for piece in pieces))
    finally:
        hashed.unpersist()


def _this_module() -> Any:
    import sys

    return sys.modules[__name__]


def _hash_batches(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    for batch in batches:
        frame = without_maps(batch).to_pandas(types_mapper=NULLABLE.get)
        hashes = (hash_rows(frame) ^ _SIGN).view(np.int64)
        yield pa.RecordBatch.from_arrays([pa.array(hashes)], [_HASH])


def _pack(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    for batch in batches:
        yield pa.RecordBatch.from_arrays([pa.array([batch[0].to_numpy().tobytes()], pa.binary())], [_HASH])


def _like_pandas(frame: DataFrame) -> pd.DataFrame:
    """No row of the frame, with the dtypes that it would have as pandas."""
    schema = to_arrow_schema(frame.schema)
    may_lack = [field.name for field in schema if field.type in NULLABLE]
    counts = [F.count(F.col(f"`{name}`")).alias(name) for name in may_lack]
    found = frame.select(F.count(F.lit(1)).alias("_rows"), *counts).first() if counts else None
    nullable = [name for name in may_lack if found is not None and found[name] < found["_rows"]]
    empty = schema.empty_table().to_pandas(types_mapper=NULLABLE.get)
    return empty.astype(plain_dtypes(schema, nullable=nullable))


def to_pandas(frame: DataFrame) -> pd.DataFrame:
    """A Spark frame, collected: instants aware, in UTC; numbers and booleans nullable where some are missing."""
    return arrow_to_pandas(frame.toArrow())
