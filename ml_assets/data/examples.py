"""Reads labelled examples: the label expression over the files of event logs, by DuckDB or by Spark."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ibis import ir

from ml_assets.data.duckdb_engine import DuckDbEngine
from ml_assets.data.engine import FILE, Engine, EventLogError, UnreadableError
from ml_assets.data.event_tables import rows_between
from ml_assets.data.footers import Footer, misfits_of, mixed_columns, read_footers, untyped_columns
from ml_assets.data.history import with_history
from ml_assets.data.keys import lacks
from ml_assets.data.labels import Selection, label_examples, select_events, was_known
from ml_assets.data.table_types import restored
from ml_assets.data.tables import without_maps
from ml_assets.data.versions import comparable
from ml_assets.domain.agreement import describe_misfits
from ml_assets.domain.calendar import Interval
from ml_assets.domain.contents import UNTYPED, Wanted
from ml_assets.domain.event_log import Table
from ml_assets.domain.history import Feature
from ml_assets.domain.near_misses import suggestions
from ml_assets.domain.spec import FEATURE_TIME
from ml_assets.paths import AnyPath

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from ml_assets.data.spark_engine import SparkEngine

__all__ = [
    "EventLogError",
    "ExampleReader",
    "HistoryFiles",
    "LogFiles",
    "PartitionFiles",
    "Read",
]

#: A few stray rows are dirt; more say that the log is not partitioned by event time in its time zone.
STRAYS_ALLOWED = 10
STRAY_SHARE_ALLOWED = 0.01
_ROW = "_example"
_INSTANT = "timestamp('UTC', 6)"
_NULLABLE = {
    pa.type_for_alias(name.lower()): pd.api.types.pandas_dtype(name)
    for name in ("boolean", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
}


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

    @property
    def some_files(self) -> list[AnyPath]:
        """The files of all partitions, or else the one that gives the columns; none where there is not even that."""
        return self.files or ([self.schema_file] if self.schema_file else [])


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

    `latest_event` and `latest_known` are None where there are no rows, or no known time. `without_key`: the rows that
    have no `columns.key`, of which corrections and retractions reach none. `without_time`: of files, the rows without
    an event time, which lie in no window, and those of the window that have no known time. `left_out`: columns that are
    of too many types to be one.
    """

    log: str
    role: str
    partitions: tuple[str, ...]
    rows: int
    latest_event: datetime | None
    latest_known: datetime | None
    without_key: int = 0
    without_time: int = 0
    left_out: tuple[str, ...] = ()


class ExampleReader:
    """Reads from files by one engine, and keeps a record of what it read (`reads`).

    Args: `memory`: the most that DuckDB takes, such as "2GB"; None is its default, 80% of the machine's. What does not
    fit is spilled to a folder where temporary files go, which the reader takes with it. The frames that are returned,
    and Python with its libraries, come on top. `spark`: the engine to read by instead of DuckDB.
    """

    def __init__(self, memory: str | None = None, *, spark: "SparkEngine | None" = None) -> None:
        self.reads: list[Read] = []
        self._spark = spark
        self._engine: Engine = spark or DuckDbEngine(memory)
        self._footers: dict[AnyPath, Footer] = {}

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
        with self._engine.working():
            examples = self._examples(
                exposures, outcomes, keys=keys, by_id=by_id, within=within, observed_until=observed_until
            )
            order = dict.fromkeys((names.time, *names.key, *examples.columns))
            found = self._engine.to_arrow(
                examples.order_by([one for name in order for one in comparable(examples[name])])
            )
            found = self._engine.restored(found, exposures.some_files)
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
        if not isinstance(self._engine, DuckDbEngine):
            raise TypeError("write_examples writes one file, by DuckDB; Spark's frames are saved by its executors")
        with self._engine.working():
            examples = self._examples(
                exposures, outcomes, keys=keys, by_id=by_id, within=within, observed_until=observed_until
            )
            self._engine.write(examples, path)

    def spark_examples(
        self,
        exposures: LogFiles,
        outcomes: LogFiles,
        *,
        keys: Sequence[str],
        by_id: bool,
        within: timedelta,
        observed_until: datetime,
    ) -> "DataFrame":
        """The labelled examples as a Spark frame that is not computed yet: the rows of `examples`, in no order.

        Raises: EventLogError as `examples`; TypeError when the engine is DuckDB.
        """
        engine = self._as_spark()
        with engine.working():
            examples = self._examples(
                exposures, outcomes, keys=keys, by_id=by_id, within=within, observed_until=observed_until
            )
            return engine.to_spark(examples)

    def with_history(self, examples: pd.DataFrame, histories: Sequence[HistoryFiles], *, time: str) -> pd.DataFrame:
        """The examples with the columns of their history; see `data.history.with_history`.

        Args: `time`: the column of the examples that holds the exposure's event time.
        Raises: EventLogError as `examples`; ValueError when the examples lack a column, or have one of the same name.
        """
        by, features = _check_history(examples, histories, time)
        skinny = examples[by].apply(_whole_numbers).assign(**{_ROW: range(len(examples))})
        names = [*features, FEATURE_TIME]
        with self._engine.working():
            nulls = [name for name in by if skinny[name].isna().all()]
            table = self._with_history(self._engine.take(skinny), histories, time, nulls)
            rows = self._engine.to_arrow(table.order_by(_ROW).select(*names))
            rows = self._values_restored(rows, histories)
        counts = [name for name, feature in features.items() if feature.function == "count"]
        found = _to_pandas(rows, plain=counts)
        return examples.assign(**{name: found[name].set_axis(examples.index) for name in names})

    def with_spark_history(self, examples: "DataFrame", histories: Sequence[HistoryFiles], *, time: str) -> "DataFrame":
        """A Spark frame of examples with the columns of their history, which is not computed yet.

        Raises: as `with_history`; TypeError when the engine is DuckDB.
        """
        _check_history(examples, histories, time)
        engine = self._as_spark()
        with engine.working():
            return engine.to_spark(self._with_history(engine.take(examples), histories, time))

    def _values_restored(self, rows: pa.Table, histories: Sequence[HistoryFiles]) -> pa.Table:
        """Features that are a value of the log have the type that it has there."""
        for history in histories:
            for name, feature in history.features.items():
                if feature.function in ("last", "min", "max") and feature.column:
                    values = pa.table({feature.column: rows[name]})
                    restored = self._engine.restored(values, history.log.some_files)
                    rows = rows.set_column(rows.column_names.index(name), name, restored[feature.column])
        return rows

    def _with_history(
        self, table: ir.Table, histories: Sequence[HistoryFiles], time: str, nulls: Collection[str] = ()
    ) -> ir.Table:
        """Args: `nulls`: the columns of the examples that hold nothing, so that their type says nothing."""
        wanted = Wanted({})
        for history in histories:
            columns = history.log.selection.columns
            wanted = wanted.with_history(history.log.key, columns, history.by, _columns_of(history))
        self._check(wanted, *(history.log for history in histories))
        for history in histories:
            rows = self._table(history.log, history.by, "history", _columns_of(history))
            for name in history.by:
                if name in nulls:
                    table = table.mutate(**{name: ibis.null(rows[name].type())})
                rows = self._fitted(rows, history.log, name, table)
                if rows[name].type().is_uuid() and table[name].type().is_string():
                    # As `examples` gives them: pandas has none.
                    table = table.mutate(**{name: table[name].cast("uuid")})
            table = with_history(
                table,
                rows,
                example_time=time,
                columns=history.log.selection.columns,
                by=history.by,
                within=history.within,
                features=history.features,
            )
        return table

    def _as_spark(self) -> "SparkEngine":
        if self._spark is None:
            raise TypeError("examples are Spark frames only where the engine is spark")
        return self._spark

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
        logs = [(log.key, log.selection.columns) for log in (exposures, outcomes)]
        self._check(Wanted.of_logs(logs, keys), exposures, outcomes)
        shown, done = self._table(exposures, keys, "exposures"), self._table(outcomes, keys, "outcomes")
        for key in keys:
            shown, done = self._fitted(shown, exposures, key, done), self._fitted(done, outcomes, key, shown)
        return label_examples(
            select_events(shown, exposures.selection),
            select_events(done, outcomes.selection),
            exposure_time=exposures.selection.columns.time,
            outcome_columns=outcomes.selection.columns,
            keys=keys,
            by_id=by_id,
            within=within,
            observed_until=observed_until,
        )

    def _check(self, wanted: Wanted, *logs: LogFiles) -> None:
        """Refuse files whose types an engine would make others of, before it reads them."""
        files: dict[str, dict[str, list[AnyPath]]] = {}
        for log in logs:
            for one in log.partitions:
                files.setdefault(log.key, {}).setdefault(one.key, []).extend(one.files)
        for log in logs:
            self._look_into(log)
        if misfits := misfits_of(files, self._footers, replace(wanted, spark=self._spark is not None)):
            raise EventLogError(f"event logs cannot be read: {describe_misfits(misfits)}")

    def _fitted(self, table: ir.Table, log: LogFiles, key: str, other: ir.Table) -> ir.Table:
        """The rows of a log with a key that has the type of the other log, where its own files give it none."""
        if not self._is_untyped(log, key):
            return table
        return table.mutate(**{key: ibis.null(other[key].type())})

    def _look_into(self, log: LogFiles) -> None:
        """Read the footers of the files of a log, once. Raises: EventLogError: nothing is read unseen."""
        footers = read_footers(path for path in log.some_files if path not in self._footers)
        for path, footer in footers.items():
            if not isinstance(footer, Footer):
                words = str(footer) if str(path) in str(footer) else f"{path}: {footer}"
                raise EventLogError(f"event log {log.key} cannot be read: {words}") from footer
            self._footers[path] = footer

    def _is_untyped(self, log: LogFiles, name: str) -> bool:
        """Whether no file says of which type a column is, as where none holds a row."""
        footers = [self._footers[path] for path in log.files]
        kinds = {column.family for footer in footers if (column := footer.columns.get(name))}
        return log.table is None and kinds <= {UNTYPED}

    def _table(self, log: LogFiles, keys: Sequence[str], role: str, values: Sequence[str] = ()) -> ir.Table:
        if log.table is not None:
            table = self._copied(log, log.table, keys)
            _check_columns(table, log, [*keys, *values])
            self._record(table, log, role)
            return table
        files = log.some_files
        if not files:
            raise EventLogError(f"event log {log.key} has no Parquet file at all: not even its columns are known")
        untyped = untyped_columns(files, self._footers)
        left_out = self._left_out(log, [*keys, *values])
        try:
            table = self._engine.read(files, untyped, left_out)
        except UnreadableError as error:
            raise EventLogError(f"event log {log.key} cannot be read: {error}") from error
        columns = log.selection.columns
        types = dict.fromkeys(columns.times, _INSTANT) | ({columns.deleted: "boolean"} if columns.deleted else {})
        untyped_ones = [name for name in types if log.files and self._is_untyped(log, name)]
        table = table.mutate(**{name: ibis.null(types[name]) for name in untyped_ones})
        _check_columns(table.drop(FILE), log, [*keys, *values])
        # A row counts in its own partition alone: wherever a window begins or ends, and once if it was filed twice.
        for path, interval in _find_strays(log).items():
            time = table[log.selection.columns.time]
            # Without a time it lies nowhere, and may be a retraction.
            table = table.filter((table[FILE] != self._engine.name_of(path)) | time.isnull() | _within(time, interval))
        table = (table if log.files else table.limit(0)).drop(FILE)
        self._record(table, log, role, left_out)
        return table

    def _left_out(self, log: LogFiles, needed: Sequence[str]) -> frozenset[str]:
        """The columns that differ too much from file to file to be one; those needed have been checked."""
        columns = log.selection.columns
        there = {name.lower() for name in (*needed, *columns.key, *columns.times, columns.deleted or "")}
        return mixed_columns(log.some_files, self._footers) - there

    def _copied(self, log: LogFiles, source: Table, keys: Sequence[str]) -> ir.Table:
        """The rows of a database's table, as a table of our own: labels are made here, whatever the database is."""
        edges = [edge for one in log.partitions for edge in (one.interval.start, one.interval.end)]
        bounds = Interval(min(edges), max(edges)) if edges else None
        selection = log.selection
        if not isinstance(self._engine, DuckDbEngine):
            raise TypeError(f"event log {log.key} is a table, which DuckDB alone reads")
        known_before = selection.known_before
        with rows_between(log.key, source, selection.columns, bounds, known_before, keys=keys) as (rows, schema):
            return restored(self._engine.copy(rows), schema)

    def _record(self, table: ir.Table, log: LogFiles, role: str, left_out: Iterable[str] = ()) -> None:
        columns, time = log.selection.columns, table[log.selection.columns.time]
        within = _within(time, log.selection.interval)
        read = within & was_known(table, log.selection)
        # A retraction needs none: it takes back what its key has.
        lost = time.isnull() if columns.deleted is None else time.isnull() & ~table[columns.deleted].fill_null(False)
        latest = {"event": time}
        if columns.known is not None:
            known = latest["known"] = table[columns.known]
            lost |= within & known.isnull()
        counts = {"rows": read, "without_key": read & lacks(table, columns.key), "without_time": lost}
        counted = table.aggregate(
            **{name: table.count(where=where) for name, where in counts.items()},
            **{name: value.max(where=read) for name, value in latest.items()},
        )
        seen = self._engine.to_arrow(counted).to_pylist()[0]
        self.reads.append(
            Read(
                log.key,
                role,
                tuple(partition.key for partition in log.partitions),
                latest_event=seen["event"],
                latest_known=seen.get("known"),
                left_out=tuple(sorted(left_out)),
                # Where there are no rows, Spark counts null of them by a condition.
                **{name: seen[name] or 0 for name in counts},
            )
        )


def _to_pandas(table: pa.Table, *, plain: Sequence[str]) -> pd.DataFrame:
    """Whole numbers and booleans stay what they are also where some are missing; in the columns `plain` none is."""
    frame = without_maps(table).to_pandas(types_mapper=_NULLABLE.get)
    types = {name: table.schema.field(name).type for name in plain}
    return frame.astype({name: dtype.to_pandas_dtype() for name, dtype in types.items() if dtype in _NULLABLE})


def _whole_numbers(column: pd.Series) -> pd.Series:
    """Numbers of which pandas made floats because some are missing; others stay what they are.

    Beyond 2 ** 53 floats stand for several whole numbers each.
    """
    if column.dtype.kind != "f":
        return column
    there = column.dropna()
    return column.astype("Int64") if ((there % 1 == 0) & (there.abs() < 2**53)).all() else column


def _check_history(examples: Any, histories: Sequence[HistoryFiles], time: str) -> tuple[list[str], dict[str, Feature]]:
    """The columns of the examples that their history needs, and its features."""
    features = {name: one for history in histories for name, one in history.features.items()}
    by = list(dict.fromkeys([time, *(name for history in histories for name in history.by)]))
    # Engines tell no case apart in names.
    there = {str(name).lower() for name in examples.columns}
    lacking = [name for name in by if name not in examples.columns]
    taken = [name for name in (*features, FEATURE_TIME) if name.lower() in there]
    if lacking or taken:
        hint = suggestions(lacking, examples.columns)
        raise ValueError(
            f"history needs the columns {lacking} of the examples{hint}, and adds {taken}, which they have"
        )
    return by, features


def _columns_of(history: HistoryFiles) -> list[str]:
    return [feature.column for feature in history.features.values() if feature.column]


def _check_columns(table: ir.Table, log: LogFiles, keys: Sequence[str]) -> None:
    columns = log.selection.columns
    marks = [columns.deleted] if columns.deleted else []
    missing = sorted({*columns.times, *marks, *columns.key, *keys} - set(table.columns))
    if missing:
        hint = suggestions(missing, table.columns)
        raise EventLogError(
            f"event log {log.key} lacks the columns {missing}{hint}; its files have {list(table.columns)}"
        )
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

    Refused are logs too many rows of which lie outside: of a partition, or of all that are read, where each has but a
    few rows.
    """
    found, all_strays, all_rows = {}, 0, 0
    for partition in log.partitions:
        strays = rows = 0
        for path in partition.files:
            with path.open("rb") as opened, pq.ParquetFile(opened) as file:
                outside = _count_strays(file, log.selection.columns.time, partition.interval)
                strays, rows = strays + outside, rows + file.metadata.num_rows
            if outside:
                found[path] = partition.interval
        bounds = f"[{partition.interval.start.isoformat()}, {partition.interval.end.isoformat()})"
        _refuse_many(strays, rows, log, f"in partition {partition.key}", bounds)
        all_strays, all_rows = all_strays + strays, all_rows + rows
    _refuse_many(all_strays, all_rows, log, f"in {len(log.partitions)} partitions", "their partition")
    return found


def _refuse_many(strays: int, rows: int, log: LogFiles, where: str, bounds: str) -> None:
    if strays > max(STRAYS_ALLOWED, STRAY_SHARE_ALLOWED * rows):
        raise EventLogError(
            f"event log {log.key}: {strays} of {rows} rows {where} have a {log.selection.columns.time} outside of "
            f"{bounds}; partition the log by event time, in the time zone of its declaration"
        )


def _within(time: ir.TimestampValue, interval: Interval) -> ir.BooleanValue:
    return (time >= ibis.literal(interval.start)) & (time < ibis.literal(interval.end))


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
