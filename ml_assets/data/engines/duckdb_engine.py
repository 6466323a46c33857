"""DuckDB as the engine of examples: one process, which spills to disk what does not fit into memory."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
from ibis import ir
from ibis.util import gen_name

from ml_assets.data.engines.engine import FILE, EventLogError, UnreadableError
from ml_assets.data.engines.parquet import NO_UNTYPED, Untyped, read_parquet
from ml_assets.paths import AnyPath
from ml_assets.temporary import TemporaryFolder


class DuckDbEngine:
    """One DuckDB connection; see `data.engine.Engine`.

    Args: `memory`: the most that DuckDB takes, such as "2GB"; None is its default, 80% of the machine's. What does not
    fit is spilled to a folder where temporary files go, which the engine takes with it.
    """

    def __init__(self, memory: str | None = None) -> None:
        self._memory = memory
        self._spilled = TemporaryFolder()
        config = {"temp_directory": str(self._spilled.path)} | ({"memory_limit": memory} if memory is not None else {})
        try:
            with self.working():
                self._connection = ibis.duckdb.connect(**config)
                # Intervals are elapsed time only in UTC.
                self._connection.raw_sql("SET TimeZone = 'UTC'")
                # Rows are sorted, or their order is of no account: to keep that of the files would take memory.
                self._connection.raw_sql("SET preserve_insertion_order = false")
        except (duckdb.ParserException, duckdb.InvalidInputException) as error:
            raise ValueError(f"memory is {memory!r}; write a size such as '2GB': {error}") from error

    def read(self, files: Sequence[AnyPath], untyped: Untyped = NO_UNTYPED, left_out: Collection[str] = ()) -> ir.Table:
        """See `Engine`."""
        try:
            return read_parquet(self._connection, files, file_column=FILE, untyped=untyped, left_out=left_out)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            raise UnreadableError(str(error)) from error

    def name_of(self, file: AnyPath) -> str:
        """See `Engine`."""
        return str(file)

    def take(self, frame: pd.DataFrame) -> ir.Table:
        """See `Engine`."""
        return ibis.memtable(pa.Table.from_pandas(frame, preserve_index=False))

    def copy(self, rows: pa.RecordBatchReader) -> ir.Table:
        """Rows that come in batches, as a table of its own, which is spilled where it does not fit."""
        name = gen_name("copied")
        # Ibis would hold all of them in memory.
        self._connection.con.from_arrow(rows).create(name)
        return self._connection.table(name)

    def to_arrow(self, table: ir.Table) -> pa.Table:
        """See `Engine`."""
        return self._connection.to_pyarrow(table)

    def restored(self, rows: pa.Table, files: Sequence[AnyPath]) -> pa.Table:  # noqa: ARG002
        """See `Engine`. DuckDB has them all."""
        return rows

    def write(self, table: ir.Table, path: Path) -> None:
        """Write the rows of an expression to a Parquet file, without holding them in memory; one there is replaced."""
        part = path.with_name(f"{path.name}.part")
        target = str(part).replace("'", "''")
        try:
            query = self._connection.compile(table)
            self._connection.raw_sql(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION snappy)")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def working(self) -> Iterator[None]:
        """See `Engine`."""
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            setting = (
                f"memory is {self._memory!r}" if self._memory else "no `memory` is set, so 80% of the machine's is"
            )
            raise EventLogError(
                f"{setting}, too little to read the event logs; give ExampleReader a larger `memory`: {error}"
            ) from error
