"""Reads labelled examples: the label expression over the files of event logs, by DuckDB."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis import ir
from ibis.util import gen_name

from ml_assets.data.event_tables import rows_between
from ml_assets.data.history import with_history
from ml_assets.data.labels import Selection, known_rows, label_examples, select_events
from ml_assets.data.parquet import read_parquet
from ml_assets.domain.calendar import Interval
from ml_assets.domain.event_log import Table
from ml_assets.domain.history import Feature
from ml_assets.domain.spec import FEATURE_TIME
from ml_assets.paths import AnyPath

#: A few stray rows are dirt; more say that the log is not partitioned by event time in its time zone.
STRAYS_ALLOWED = 10
STRAY_SHARE_ALLOWED = 0.01
_ROW, _FILE = "_example", "_file"
_NULLABLE = {
    pa.type_for_alias(name.lower()): pd.api.types.pandas_dtype(name)
    for name in ("boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
}


class EventLogError(Exception):
    """The files of an event log do not hold what its declaration says."""


@dataclass(frozen=True)
class PartitionFiles:
    """The files of an event partition, and the instants that it holds."""

    key: str
    interval: Interval
    files: tuple[AnyPath, ...]


@dataclass(frozen=True)
class LogFiles:
    """The rows of a log that count, and the partitions that hold them.

    `schema_file`: any file of the log, which gives the columns when no file holds rows of the window. `table`: where a
    SQL database holds the log; its partitions have no files then.
    """

    key: str
    partitions: tuple[PartitionFiles, ...]
    schema_file: AnyPath | None
    selection: Selection
    table: Table | None = None

    @property
    def files(self) -> list[AnyPath]:
        """The files of all partitions."""
        return [path for partition in self.partitions for path in partition.files]


@dataclass(frozen=True)
class HistoryFiles:
    """A log, and the features that the rows of before an exposure make."""

    log: LogFiles
    by: tuple[str, ...]
    within: timedelta
    features: dict[str, Feature]


@dataclass(frozen=True)
class Read:
    """What was read of a log: `rows` of the window as they were known in time, superseded ones and retractions too.

    `latest_event` and `latest_known` are None where there are no rows, or no known time.
    """

    log: str
    role: str
    partitions: tuple[str, ...]
    rows: int
    latest_event: datetime | None
    latest_known: datetime | None


class ExampleReader:
    """Reads from files by one DuckDB connection, and keeps a record of what it read (`reads`).

    Args: `memory`: the most that DuckDB takes, such as "2GB"; None is its default, 80% of the machine's. What does not
    fit is spilled to a folder where temporary files go, which the reader takes with it. The frames that are returned,
    and Python with its libraries, come on top.
    """

    def __init__(self, memory: str | None = None) -> None:
        self.reads: list[Read] = []
        self._memory = memory
        spilled = tempfile.mkdtemp(prefix="ml-assets-spilled-")
        weakref.finalize(self, shutil.rmtree, spilled, ignore_errors=True)
        config = {"temp_directory": spilled} | ({"memory_limit": memory} if memory is not None else {})
        try:
            with self._enough_memory():
                self._connection = ibis.duckdb.connect(**config)
                # Intervals are elapsed time only in UTC.
                self._connection.raw_sql("SET TimeZone = 'UTC'")
                # Rows are sorted, or their order is of no account: to keep that of the files would take memory.
                self._connection.raw_sql("SET preserve_insertion_order = false")
        except (duckdb.ParserException, duckdb.InvalidInputException) as error:
            raise ValueError(f"memory is {memory!r}; write a size such as '2GB': {error}") from error

    def examples(
        self,
        exposures: LogFiles,
        outcomes: LogFiles,
        *,
        keys: Sequence[str],
        by_id: bool,
        within: timedelta,
        observed_until: datetime,
    ) -> pd.DataFrame:
        """The labelled examples, by event time, key, and then the other columns: the same rows, the same order.

        Returns: one row per exposure: the exposure log's columns and those of `label_examples`.
        Raises: EventLogError when a file lacks a column, an event time has no time zone, or too many rows lie outside
        of their partition.
        """
        names = exposures.selection.columns
        with self._enough_memory():
            examples = self._examples(
                exposures, outcomes, keys=keys, by_id=by_id, within=within, observed_until=observed_until
            )
            order = dict.fromkeys((names.time, *names.key, *examples.columns))
            found = examples.order_by(list(order)).to_pyarrow()
        return _to_pandas(found, plain=[name for name in found.column_names if not found[name].null_count])

    def write_examples(
        self,
        path: Path,
        exposures: LogFiles,
        outcomes: LogFiles,
        *,
        keys: Sequence[str],
        by_id: bool,
        within: timedelta,
        observed_until: datetime,
    ) -> None:
        """Write the labelled examples to a Parquet file, without holding them in memory.

        The rows are those of `examples`, in no order: to sort them would take longer than to label them, and the data
        version does not depend on it (see `data.content`). A file that is there is replaced, once all is written.
        Raises: EventLogError as `examples`.
        """
        with self._enough_memory():
            examples = self._examples(
                exposures, outcomes, keys=keys, by_id=by_id, within=within, observed_until=observed_until
            )
            part = path.with_name(f"{path.name}.part")
            target = str(part).replace("'", "''")
            try:
                query = self._connection.compile(examples)
                self._connection.raw_sql(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION snappy)")
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)

    def with_history(self, examples: pd.DataFrame, histories: Sequence[HistoryFiles], *, time: str) -> pd.DataFrame:
        """The examples with the columns of their history; see `data.history.with_history`.

        Args: `time`: the column of the examples that holds the exposure's event time.
        Raises: EventLogError as `examples`; ValueError when the examples lack a column, or have one of the same name.
        """
        features = {name: one for history in histories for name, one in history.features.items()}
        names = [*features, FEATURE_TIME]
        by = dict.fromkeys([time, *(name for history in histories for name in history.by)])
        # Engines tell no case apart in names.
        there = {str(name).lower() for name in examples.columns}
        lacking = [name for name in by if name not in examples.columns]
        taken = [name for name in names if name.lower() in there]
        if lacking or taken:
            raise ValueError(f"history needs the columns {lacking} of the examples, and adds {taken}, which they have")
        skinny = examples[list(by)].assign(**{_ROW: range(len(examples))})
        table = ibis.memtable(pa.Table.from_pandas(skinny, preserve_index=False))
        with self._enough_memory():
            for history in histories:
                table = with_history(
                    table,
                    self._table(history.log, [*history.by, *_columns_of(history)], "history"),
                    row=_ROW,
                    example_time=time,
                    columns=history.log.selection.columns,
                    by=history.by,
                    within=history.within,
                    features=history.features,
                )
            rows = table.order_by(_ROW).select(*names).to_pyarrow()
        counts = [name for name, feature in features.items() if feature.function == "count"]
        found = _to_pandas(rows, plain=counts)
        return examples.assign(**{name: found[name].set_axis(examples.index) for name in names})

    @contextmanager
    def _enough_memory(self) -> Iterator[None]:
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            setting = (
                f"memory is {self._memory!r}" if self._memory else "no `memory` is set, so 80% of the machine's is"
            )
            raise EventLogError(
                f"{setting}, too little to read the event logs; give ExampleReader a larger `memory`: {error}"
            ) from error

    def _examples(
        self,
        exposures: LogFiles,
        outcomes: LogFiles,
        *,
        keys: Sequence[str],
        by_id: bool,
        within: timedelta,
        observed_until: datetime,
    ) -> ir.Table:
        return label_examples(
            select_events(self._table(exposures, keys, "exposures"), exposures.selection),
            select_events(self._table(outcomes, keys, "outcomes"), outcomes.selection),
            exposure_time=exposures.selection.columns.time,
            outcome_columns=outcomes.selection.columns,
            keys=keys,
            by_id=by_id,
            within=within,
            observed_until=observed_until,
        )

    def _table(self, log: LogFiles, keys: Sequence[str], role: str) -> ir.Table:
        if log.table is not None:
            table = self._copied(log, log.table)
            _check_columns(table, log, keys)
            self._record(table, log, role)
            return table
        files = log.files or ([log.schema_file] if log.schema_file else [])
        if not files:
            raise EventLogError(f"event log {log.key} has no Parquet file at all: not even its columns are known")
        try:
            table = read_parquet(self._connection, files, file_column=_FILE)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error as error:
            raise EventLogError(f"event log {log.key} cannot be read: {error}") from error
        _check_columns(table.drop(_FILE), log, keys)
        # A row counts in its own partition alone: wherever a window begins or ends, and once if it was filed twice.
        for path, interval in _find_strays(log).items():
            time = table[log.selection.columns.time]
            # Without a time it lies nowhere, and may be a retraction.
            table = table.filter((table[_FILE] != str(path)) | time.isnull() | _within(time, interval))
        table = (table if log.files else table.limit(0)).drop(_FILE)
        self._record(table, log, role)
        return table

    def _copied(self, log: LogFiles, source: Table) -> ir.Table:
        """The rows of a database's table, as a table of our own: labels are made here, whatever the database is."""
        edges = [edge for one in log.partitions for edge in (one.interval.start, one.interval.end)]
        bounds = Interval(min(edges), max(edges)) if edges else None
        selection = log.selection
        with rows_between(log.key, source, selection.columns, bounds, selection.known_before) as rows:
            name = gen_name("event_table")
            # Ibis would hold all rows in memory; DuckDB takes batch after batch, and spills them.
            self._connection.con.from_arrow(rows).create(name)
        return self._connection.table(name)

    def _record(self, table: ir.Table, log: LogFiles, role: str) -> None:
        columns = log.selection.columns
        rows = known_rows(table, log.selection)
        rows = rows.filter(_within(rows[columns.time], log.selection.interval))
        known = {"known": rows[columns.known].max()} if columns.known else {}
        seen = rows.aggregate(rows=rows.count(), event=rows[columns.time].max(), **known).to_pyarrow().to_pylist()[0]
        keys = tuple(partition.key for partition in log.partitions)
        self.reads.append(Read(log.key, role, keys, seen["rows"], seen["event"], seen.get("known")))


def _to_pandas(table: pa.Table, *, plain: Sequence[str]) -> pd.DataFrame:
    """Whole numbers and booleans stay what they are also where some are missing; in the columns `plain` none is."""
    frame = table.to_pandas(types_mapper=_NULLABLE.get)
    types = {name: table.schema.field(name).type for name in plain}
    return frame.astype({name: dtype.to_pandas_dtype() for name, dtype in types.items() if dtype in _NULLABLE})


def _columns_of(history: HistoryFiles) -> list[str]:
    return [feature.column for feature in history.features.values() if feature.column]


def _check_columns(table: ir.Table, log: LogFiles, keys: Sequence[str]) -> None:
    columns = log.selection.columns
    marks = [columns.deleted] if columns.deleted else []
    missing = sorted({*columns.times, *marks, *columns.key, *keys} - set(table.columns))
    if missing:
        raise EventLogError(f"event log {log.key} lacks the columns {missing}; its files have {list(table.columns)}")
    for name in columns.times:
        dtype = table[name].type()
        if not dtype.is_timestamp() or dtype.timezone is None:
            raise EventLogError(
                f"event log {log.key}: column {name} is of type {dtype}; write timestamps with a time zone (UTC)"
            )
    for name in marks:
        if not table[name].type().is_boolean():
            raise EventLogError(f"event log {log.key}: column {name} is of type {table[name].type()}; write a boolean")


def _find_strays(log: LogFiles) -> dict[AnyPath, Interval]:
    """The files that hold rows outside of their partition, each with the instants of its partition.

    Refused are files whose times have no zone, and logs too many rows of which lie outside: of a partition, or of all
    that are read, where each has but a few rows.
    """
    found, all_strays, all_rows = {}, 0, 0
    for partition in log.partitions:
        strays = rows = 0
        for path in partition.files:
            with path.open("rb") as opened, pq.ParquetFile(opened) as file:
                _check_zones(file, path, log)
                outside = _count_strays(file, log.selection.columns.time, partition.interval)
                strays, rows = strays + outside, rows + file.metadata.num_rows
            if outside:
                found[path] = partition.interval
        bounds = f"[{partition.interval.start.isoformat()}, {partition.interval.end.isoformat()})"
        _refuse_many(strays, rows, log, f"in partition {partition.key}", bounds)
        all_strays, all_rows = all_strays + strays, all_rows + rows
    _refuse_many(all_strays, all_rows, log, f"in {len(log.partitions)} partitions", "their partition")
    return found


def _check_zones(file: pq.ParquetFile, path: AnyPath, log: LogFiles) -> None:
    """Beside files that have a time zone, DuckDB takes others for UTC."""
    types = {field.name: field.type for field in file.schema_arrow}
    naive = [name for name in log.selection.columns.times if _is_naive(types.get(name, pa.null()))]
    if naive:
        raise EventLogError(
            f"event log {log.key}: {path} has {naive} without a time zone; write timestamps with a time zone (UTC)"
        )


def _refuse_many(strays: int, rows: int, log: LogFiles, where: str, bounds: str) -> None:
    if strays > max(STRAYS_ALLOWED, STRAY_SHARE_ALLOWED * rows):
        raise EventLogError(
            f"event log {log.key}: {strays} of {rows} rows {where} have a {log.selection.columns.time} outside of "
            f"{bounds}; partition the log by event time, in the time zone of its declaration"
        )


def _within(time: ir.TimestampValue, interval: Interval) -> ir.BooleanValue:
    return (time >= ibis.literal(interval.start)) & (time < ibis.literal(interval.end))


def _is_naive(dtype: pa.DataType) -> bool:
    return pa.types.is_timestamp(dtype) and dtype.tz is None


def _lies_within(file: pq.ParquetFile, time: str, interval: Interval) -> bool:
    """Whether the file's own statistics say that all times are within the interval."""
    names = file.schema_arrow.names
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        # Nested columns have several places in a group.
        flat = group.num_columns == len(names) and time in names
        statistics = group.column(names.index(time)).statistics if flat else None
        if statistics is None or not statistics.has_min_max:
            return False
        if statistics.min not in interval or statistics.max not in interval:
            return False
    return True


def _count_strays(file: pq.ParquetFile, time: str, interval: Interval) -> int:
    if time not in file.schema_arrow.names or _lies_within(file, time, interval):
        return 0
    kind = pa.timestamp("us", tz="UTC")
    times = file.read(columns=[time])[time].cast(kind, safe=False)
    outside = pc.or_(
        pc.less(times, pa.scalar(interval.start, kind)), pc.greater_equal(times, pa.scalar(interval.end, kind))
    )
    return int(pc.sum(outside).as_py() or 0)
