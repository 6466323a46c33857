"""Spark as the engine of examples, for logs that outgrow a machine."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from uuid import uuid4

import ibis
import pandas as pd
import pyarrow as pa
from ibis import ir
from ibis.expr import operations as ops
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from ml_assets.data.engines.duckdb_engine import DuckDbEngine
from ml_assets.data.engines.engine import FILE, UnreadableError
from ml_assets.data.engines.parquet import NO_UNTYPED, Untyped
from ml_assets.data.engines.spark_tables import file_name, from_pandas, read_files
from ml_assets.data.footers import column_of
from ml_assets.paths import AnyPath

#: What must hold for results to be those of DuckDB, whatever else a session is told.
SETTINGS = {
    # Intervals are elapsed time only in UTC.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    # pandas writes such times.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    # What cannot be is an error, and no null.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
}


class SparkEngine:
    """One Spark session; see `data.engine.Engine`.

    Files are described by DuckDB, from their footers, so that types are the same whichever engine reads the rows.
    """

    def __init__(self, session: SparkSession) -> None:
        self._session = session
        for key, value in SETTINGS.items():
            session.conf.set(key, value)
        self._connection = ibis.pyspark.connect(session)
        self._described = DuckDbEngine()
        self._schemas: dict[tuple[AnyPath, ...], ibis.Schema] = {}

    def read(self, files: Sequence[AnyPath], untyped: Untyped = NO_UNTYPED, left_out: Collection[str] = ()) -> ir.Table:
        """See `Engine`."""
        schema = self._schema(files, untyped, left_out)
        try:
            frame = read_files(self._session, files, schema, file_column=FILE)
        except PySparkException as error:
            raise UnreadableError(str(error)) from error
        return self._table(frame)

    def name_of(self, file: AnyPath) -> str:
        """See `Engine`."""
        return file_name(self._session, file)

    def take(self, frame: pd.DataFrame | DataFrame) -> ir.Table:
        """See `Engine`."""
        return self._table(frame if isinstance(frame, DataFrame) else from_pandas(self._session, frame))

    def to_arrow(self, table: ir.Table) -> pa.Table:
        """See `Engine`."""
        return self.to_spark(table).toArrow()

    def restored(self, rows: pa.Table, files: Sequence[AnyPath]) -> pa.Table:
        """See `Engine`. Spark has no unsigned numbers, and no nanoseconds."""
        schema = self._schema(files).to_pyarrow()
        for place, field in enumerate(rows.schema):
            if field.name in schema.names:
                kind = schema.field(field.name).type
                # What no file gives a type has that of what it is compared with.
                if column_of(kind).family != column_of(field.type).family:
                    continue
                rows = rows.set_column(place, field.name, rows[field.name].cast(kind))
        return rows

    def to_spark(self, table: ir.Table) -> DataFrame:
        """An expression as a Spark frame, which is not computed yet."""
        return self._session.sql(self._connection.compile(table))

    @contextmanager
    def working(self) -> Iterator[None]:
        """See `Engine`. What Spark runs out of is said where a notebook's error is told (`notebooks.spark_errors`)."""
        yield

    def _schema(
        self, files: Sequence[AnyPath], untyped: Untyped = NO_UNTYPED, left_out: Collection[str] = ()
    ) -> ibis.Schema:
        if tuple(files) not in self._schemas:
            self._schemas[tuple(files)] = self._described.read(files, untyped, left_out).drop(FILE).schema()
        return self._schemas[tuple(files)]

    def _table(self, frame: DataFrame) -> ir.Table:
        name = f"ml_assets_{uuid4().hex}"
        frame.createOrReplaceTempView(name)
        # Ibis would take Spark's instants for times without a zone.
        schema = ibis.Schema.from_pyarrow(to_arrow_schema(frame.schema))
        return ops.DatabaseTable(name, schema, self._connection).to_expr()
