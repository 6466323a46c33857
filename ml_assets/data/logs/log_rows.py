"""The rows of one event log as a table of an engine: what its files hold is checked, and what was read is recorded."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import ibis
from ibis import ir

from ml_assets.data.engines.duckdb_engine import DuckDbEngine
from ml_assets.data.engines.engine import FILE, Engine, EventLogError, UnreadableError
from ml_assets.data.footers import Footer, misfits_of, mixed_columns, read_footers, untyped_columns
from ml_assets.data.keys import lacks
from ml_assets.data.labels import was_known
from ml_assets.data.logs.event_tables import rows_between
from ml_assets.data.logs.log_files import LogFiles
from ml_assets.data.logs.strays import find_strays
from ml_assets.data.logs.table_types import restored
from ml_assets.domain.agreement import describe_misfits
from ml_assets.domain.calendar import Interval
from ml_assets.domain.contents import UNTYPED, Wanted
from ml_assets.domain.declared.event_log import Table
from ml_assets.domain.declared.near_misses import suggestions
from ml_assets.paths import AnyPath

_INSTANT = "timestamp('UTC', 6)"


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


class LogRows:
    """The rows of event logs by one engine, and a record of what was read (`reads`)."""

    def __init__(self, engine: Engine) -> None:
        self.reads: list[Read] = []
        self._engine = engine
        self._footers: dict[AnyPath, Footer] = {}

    def check(self, wanted: Wanted, *logs: LogFiles) -> None:
        """Refuse files whose types an engine would make others of, before it reads them."""
        files: dict[str, dict[str, list[AnyPath]]] = {}
        for log in logs:
            for one in log.partitions:
                files.setdefault(log.key, {}).setdefault(one.key, []).extend(one.files)
        for log in logs:
            self._look_into(log)
        wanted = replace(wanted, spark=not isinstance(self._engine, DuckDbEngine))
        if misfits := misfits_of(files, self._footers, wanted):
            raise EventLogError(f"event logs cannot be read: {describe_misfits(misfits)}")

    def fitted(self, table: ir.Table, log: LogFiles, key: str, other: ir.Table) -> ir.Table:
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

    def table(self, log: LogFiles, keys: Sequence[str], role: str, values: Sequence[str] = ()) -> ir.Table:
        """The rows of the partitions of a log, those elsewhere filed left out, and what was read put on record.

        Args: `keys`: columns by which rows meet those of another log; `role`: what the log is read for; `values`: other
        columns that are needed.
        Raises: EventLogError.
        """
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
        for path, interval in find_strays(log).items():
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


def _within(time: ir.TimestampValue, interval: Interval) -> ir.BooleanValue:
    return (time >= ibis.literal(interval.start)) & (time < ibis.literal(interval.end))
