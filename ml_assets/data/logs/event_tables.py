"""Event logs that are tables of a SQL database, asked by Ibis: whether partitions changed, and the rows of a window.

A row lies in the partition of its event time. What is asked is pushed down to the database: one grouped query for
fingerprints, one with the bounds of the window for rows, which are streamed. Tried on PostgreSQL.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from math import gcd
from typing import Any, NamedTuple

import duckdb
import ibis
import pyarrow as pa
from ibis import ir
from ibis.backends import BaseBackend
from ibis.expr import datatypes as dt

from ml_assets.data.footers import column_of
from ml_assets.data.logs.databases import SourceError, url_in, without_passwords
from ml_assets.data.logs.table_types import DIGITS, carried
from ml_assets.domain.calendar import Interval
from ml_assets.domain.contents import UUID, Column
from ml_assets.domain.declared.event_log import Columns, EventLog, Table

#: Rows that are held at once while they are read.
_BATCH = 100_000
_UNITS = (("D", 86_400), ("h", 3_600), ("m", 60))


class _Seen(NamedTuple):
    """What is seen of a partition without reading its rows."""

    rows: int = 0
    latest_event: datetime | None = None
    latest_known: datetime | None = None

    def with_rows(self, rows: int, event: datetime | None, known: datetime | None) -> "_Seen":
        return _Seen(self.rows + rows, _later(self.latest_event, event), _later(self.latest_known, known))


def fingerprints(log: EventLog, indices: Sequence[int]) -> Mapping[str, str]:
    """Sixteen hexadecimal digits for each partition, which change with its rows as far as can be seen without them.

    Made of the number of rows, the latest event time and the latest known time. A row that is rewritten in place leaves
    all three as they are, unless the log has a known time, and the row a new one.
    Raises: SourceError when the database cannot be asked, or the table is not as declared.
    """
    if log.table is None:
        raise TypeError(f"{log.key} is no table")
    if not indices:
        return {}
    calendar = log.partitions
    intervals = [calendar.interval(index) for index in indices]
    with _asking(log.key, log.table) as connection:
        table = _table(connection, log.key, log.table, log.columns)
        found = _seen(table, log.columns, intervals)
    return {calendar.key(index): _digest(seen) for index, seen in zip(indices, found, strict=True)}


def columns_of(log: EventLog) -> dict[str, Column]:
    """The columns of the table that holds a log. Raises: SourceError as `fingerprints`."""
    if log.table is None:
        raise TypeError(f"{log.key} is no table")
    with _asking(log.key, log.table) as connection:
        schema = _table(connection, log.key, log.table, log.columns).schema()
    return {name: _column(dtype) for name, dtype in schema.items()}


def _column(dtype: dt.DataType) -> Column:
    if dtype.is_uuid():
        return Column(UUID, "uuid")
    own = Column(str(dtype), str(dtype))
    if isinstance(dtype, dt.Decimal) and (dtype.precision or 0) > DIGITS:
        # As a key it is carried as text, so that no digit is lost.
        return own
    try:
        return column_of(dtype.to_pyarrow())
    except (NotImplementedError, ValueError, ImportError):
        # A type of the database alone: one to itself.
        return own


@contextmanager
def rows_between(
    key: str,
    source: Table,
    columns: Columns,
    bounds: Interval | None,
    known_before: datetime | None,
    *,
    keys: Collection[str] = (),
) -> Iterator[tuple[pa.RecordBatchReader, ibis.Schema]]:
    """The rows of an event log with event times within bounds, known before an instant where one is given.

    Args: `bounds`: None gives the columns, and no rows. `keys`: columns that rows are found by, beside those of the
    log's own key.
    Returns: the rows as `table_types.carried`, and the columns of the table.
    Raises: SourceError as `fingerprints`, also while rows are read, and where a row that may correct another has no
    event time.
    """
    with _asking(key, source) as connection:
        table = _table(connection, key, source, columns)
        if bounds is None:
            rows = table.limit(0)
        else:
            rows = _known(table, columns, known_before)
            _refuse_timeless(rows, key, columns)
            rows = rows.filter(_within(rows[columns.time], bounds))
        rows = carried(rows, {*columns.key, *keys})
        try:
            yield connection.to_pyarrow_batches(rows, chunk_size=_BATCH), table.schema()
        except duckdb.OutOfMemoryException:
            raise
        except Exception:
            if words := _unreadable(connection, rows):
                raise SourceError(f"event log {key}: table {source.name}: {words}") from None
            raise


def _unreadable(connection: BaseBackend, rows: ir.Table) -> str | None:
    """Says which column holds a value that there is not here, such as a date before our era."""
    for name in rows.columns:
        try:
            for _ in connection.to_pyarrow_batches(rows.select(name), chunk_size=_BATCH):
                pass
        except Exception as error:  # noqa: BLE001  (drivers raise errors of their own kinds)
            said = " ".join(str(error).split())
            return f"column {name} holds what cannot be read here: {said}; name a view without it, or with its text"
    return None


@contextmanager
def _asking(key: str, source: Table) -> Iterator[BaseBackend]:
    """A connection to the database of a table, whose errors show no password."""
    where = f"event log {key}: table {source.name}"
    url = url_in(source.url_variable, f"event log {key}: the environment variable {source.url_variable}")
    # Ibis knows databases, not their drivers, and reads some characters of a password otherwise.
    plain = url.set(drivername=url.get_backend_name(), username=None, password=None)
    secrets: dict[str, Any] = {"user": url.username, "password": url.password}
    given = {name: value for name, value in secrets.items() if value is not None}
    connection = None
    try:
        connection = ibis.connect(plain.render_as_string(), **given)
        yield connection
    except (SourceError, duckdb.OutOfMemoryException):
        raise
    except ImportError as error:
        hint = f"install what Ibis needs for {source.url_variable}; ml-assets[postgres] has it for postgresql://"
        raise SourceError(f"{where} cannot be read: {error}; {hint}") from None
    except Exception as error:  # noqa: BLE001  (drivers raise errors of their own kinds)
        # From None: the driver's own error may hold the password, and would be shown with this one.
        raise SourceError(f"{where} cannot be read: {without_passwords(error, url)}") from None
    finally:
        if connection is not None:
            connection.disconnect()


def _table(connection: BaseBackend, key: str, source: Table, columns: Columns) -> ir.Table:
    *place, name = source.name.split(".")
    database = None if not place else place[0] if len(place) == 1 else tuple(place)
    table = connection.table(name, database=database)
    lacking = sorted({*columns.times, *columns.key} - set(table.columns))
    if lacking:
        raise SourceError(
            f"event log {key}: table {source.name} lacks the columns {lacking}; it has {list(table.columns)}"
        )
    for time in columns.times:
        dtype = table[time].type()
        if not dtype.is_timestamp() or dtype.timezone is None:
            raise SourceError(
                f"event log {key}: table {source.name}: column {time} is of type {dtype}; "
                "it must be a timestamp with a time zone (timestamptz)"
            )
    return table


def _seen(table: ir.Table, columns: Columns, intervals: Sequence[Interval]) -> list[_Seen]:
    """What is seen of each interval, by one query, which groups by the largest unit of UTC that cuts none of them."""
    edges = [edge for interval in intervals for edge in (interval.start, interval.end)]
    width = gcd(*(int(edge.timestamp()) for edge in edges))
    unit = next(name for name, seconds in _UNITS if width % seconds == 0)
    rows = table.filter(_within(table[columns.time], Interval(min(edges), max(edges))))
    time = rows[columns.time]
    known = {"known": rows[columns.known].max()} if columns.known else {}
    groups = rows.group_by(unit=time.truncate(unit)).agg(rows=rows.count(), event=time.max(), **known)
    found = [_Seen()] * len(intervals)
    position = {interval.start: number for number, interval in enumerate(intervals)}
    starts = sorted(position)
    for group in groups.order_by("event").to_pyarrow().to_pylist():
        number = position[starts[_last_before(starts, group["event"])]]
        if group["event"] in intervals[number]:
            found[number] = found[number].with_rows(group["rows"], group["event"], group.get("known"))
    return found


def _last_before(starts: Sequence[datetime], time: datetime) -> int:
    return bisect_right(starts, time) - 1


def _known(table: ir.Table, columns: Columns, before: datetime | None) -> ir.Table:
    if columns.known is None or before is None:
        return table
    return table.filter(table[columns.known] < ibis.literal(before))


def _refuse_timeless(rows: ir.Table, key: str, columns: Columns) -> None:
    if columns.known is None:
        return
    number = rows.filter(rows[columns.time].isnull()).count().to_pyarrow().as_py()
    if number:
        raise SourceError(
            f"event log {key}: {number} rows have no {columns.time}; in a table a row lies in the partition of its "
            "event time: give a correction or a retraction that of the row that it is about"
        )


def _within(time: ir.TimestampValue, interval: Interval) -> ir.BooleanValue:
    return (time >= ibis.literal(interval.start)) & (time < ibis.literal(interval.end))


def _later(left: datetime | None, right: datetime | None) -> datetime | None:
    return max((one for one in (left, right) if one is not None), default=None)


def _digest(seen: _Seen) -> str:
    facts = (seen.rows, *(str(one and one.timestamp()) for one in (seen.latest_event, seen.latest_known)))
    return hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()
