"""Reads labelled examples: the label expression over the files of event logs, by DuckDB."""

from collections.abc import Sequence
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

from ml_assets.data.history import with_history
from ml_assets.data.labels import Selection, known_rows, label_examples, select_events
from ml_assets.domain.calendar import Interval
from ml_assets.domain.history import Feature
from ml_assets.domain.spec import FEATURE_TIME

#: A few stray rows in a partition are dirt; more say that the log is not partitioned by event time in its time zone.
STRAYS_ALLOWED = 10
STRAY_SHARE_ALLOWED = 0.01
_ROW = "_example"


class EventLogError(Exception):
    """The files of an event log do not hold what its declaration says."""


@dataclass(frozen=True)
class PartitionFiles:
    """The files of an event partition, and the instants that it holds."""

    key: str
    interval: Interval
    files: tuple[Path, ...]


@dataclass(frozen=True)
class LogFiles:
    """The rows of a log that count, and the partitions that hold them.

    `schema_file`: any file of the log, which gives the columns when no file holds rows of the window.
    """

    key: str
    partitions: tuple[PartitionFiles, ...]
    schema_file: Path | None
    selection: Selection

    @property
    def files(self) -> list[Path]:
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
    """Reads from files by one DuckDB connection, and keeps a record of what it read (`reads`)."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self._connection = ibis.duckdb.connect()
        # Intervals are elapsed time only in UTC.
        self._connection.raw_sql("SET TimeZone = 'UTC'")

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
        examples = label_examples(
            select_events(self._table(exposures, keys, "exposures"), exposures.selection),
            select_events(self._table(outcomes, keys, "outcomes"), outcomes.selection),
            exposure_time=names.time,
            outcome_columns=outcomes.selection.columns,
            keys=keys,
            by_id=by_id,
            within=within,
            observed_until=observed_until,
        )
        order = dict.fromkeys((names.time, *names.key, *examples.columns))
        # By Arrow, whose types do not depend on whether a column holds nulls.
        return examples.order_by(list(order)).to_pyarrow().to_pandas()

    def with_history(self, examples: pd.DataFrame, histories: Sequence[HistoryFiles], *, time: str) -> pd.DataFrame:
        """The examples with the columns of their history; see `data.history.with_history`.

        Args: `time`: the column of the examples that holds the exposure's event time.
        Raises: EventLogError as `examples`; ValueError when the examples lack a column, or have one of the same name.
        """
        names = [FEATURE_TIME, *(name for history in histories for name in history.features)]
        by = dict.fromkeys([time, *(name for history in histories for name in history.by)])
        lacking, taken = sorted(set(by) - set(examples.columns)), sorted(set(names) & set(examples.columns))
        if lacking or taken:
            raise ValueError(f"history needs the columns {lacking} of the examples, and adds {taken}, which they have")
        skinny = examples[list(by)].assign(**{_ROW: range(len(examples))})
        table = self._connection.read_in_memory(pa.Table.from_pandas(skinny, preserve_index=False))
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
        found = table.order_by(_ROW).select(*names).to_pyarrow().to_pandas()
        return examples.assign(**{name: found[name].set_axis(examples.index) for name in names})

    def _table(self, log: LogFiles, keys: Sequence[str], role: str) -> ir.Table:
        files = log.files or ([log.schema_file] if log.schema_file else [])
        if not files:
            raise EventLogError(f"event log {log.key} has no Parquet file at all: not even its columns are known")
        try:
            paths = [str(path) for path in files]
            table = self._connection.read_parquet(paths, hive_partitioning=False, union_by_name=True)
        except duckdb.Error as error:
            raise EventLogError(f"event log {log.key} cannot be read: {error}") from error
        _check_columns(table, log, keys)
        _check_files(log)
        table = table if log.files else table.limit(0)
        self._record(table, log, role)
        return table

    def _record(self, table: ir.Table, log: LogFiles, role: str) -> None:
        columns, interval = log.selection.columns, log.selection.interval
        rows = known_rows(table, log.selection)
        time = rows[columns.time]
        rows = rows.filter(time >= ibis.literal(interval.start), time < ibis.literal(interval.end))
        known = {"known": rows[columns.known].max()} if columns.known else {}
        seen = rows.aggregate(rows=rows.count(), event=rows[columns.time].max(), **known).to_pyarrow().to_pylist()[0]
        keys = tuple(partition.key for partition in log.partitions)
        self.reads.append(Read(log.key, role, keys, seen["rows"], seen["event"], seen.get("known")))


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


def _check_files(log: LogFiles) -> None:
    """Refuse files whose times have no zone, and partitions that hold other instants than they should."""
    columns = log.selection.columns
    for partition in log.partitions:
        strays = rows = 0
        for path in partition.files:
            with pq.ParquetFile(path) as file:
                # Beside files that have a time zone, DuckDB takes these for UTC.
                types = {field.name: field.type for field in file.schema_arrow}
                naive = [name for name in columns.times if _is_naive(types.get(name, pa.null()))]
                if naive:
                    raise EventLogError(
                        f"event log {log.key}: {path} has {naive} without a time zone; "
                        "write timestamps with a time zone (UTC)"
                    )
                rows += file.metadata.num_rows
                if not _lies_within(file, columns.time, partition.interval):
                    strays += _count_strays(file, columns.time, partition.interval)
        if strays > max(STRAYS_ALLOWED, STRAY_SHARE_ALLOWED * rows):
            raise EventLogError(
                f"event log {log.key}: {strays} of {rows} rows in partition {partition.key} have a {columns.time} "
                f"outside of [{partition.interval.start.isoformat()}, {partition.interval.end.isoformat()}); "
                "partition the log by event time, in the time zone of its declaration"
            )


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
    if time not in file.schema_arrow.names:
        return 0
    kind = pa.timestamp("us", tz="UTC")
    times = file.read(columns=[time])[time].cast(kind, safe=False)
    outside = pc.or_(
        pc.less(times, pa.scalar(interval.start, kind)), pc.greater_equal(times, pa.scalar(interval.end, kind))
    )
    return int(pc.sum(outside).as_py() or 0)
