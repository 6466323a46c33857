"""Reads labelled examples: the label expression over the files of two event logs, by DuckDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ibis import ir
from ibis.backends.duckdb import Backend

from ml_assets.data.labels import Selection, label_examples, select_events


class EventLogError(Exception):
    """The files of an event log do not hold what its declaration says."""


@dataclass(frozen=True)
class LogFiles:
    """The rows of a log that count, and the files that hold them.

    `schema_file`: any file of the log, which gives the columns when no file holds rows of the window.
    """

    key: str
    files: tuple[Path, ...]
    schema_file: Path | None
    selection: Selection


def read_examples(
    exposures: LogFiles,
    outcomes: LogFiles,
    *,
    keys: Sequence[str],
    by_id: bool,
    within: timedelta,
    observed_until: datetime,
) -> pd.DataFrame:
    """The labelled examples, ordered by event time, key, and then by the other columns: the same rows, the same order.

    Returns: one row per exposure: the exposure log's columns, `label`, `label_age` (seconds) and `mature`.
    Raises: EventLogError when a file lacks a column or an event time has no time zone.
    """
    connection = ibis.duckdb.connect()
    # Intervals are elapsed time only in UTC.
    connection.raw_sql("SET TimeZone = 'UTC'")
    names = exposures.selection.columns
    shown = select_events(_table(connection, exposures, keys), exposures.selection)
    followed = select_events(_table(connection, outcomes, keys), outcomes.selection)
    examples = label_examples(
        shown,
        followed,
        exposure_time=names.time,
        outcome_time=outcomes.selection.columns.time,
        keys=keys,
        by_id=by_id,
        within=within,
        observed_until=observed_until,
    )
    return examples.order_by(list(dict.fromkeys((names.time, *names.key, *examples.columns)))).to_pandas()


def _table(connection: Backend, log: LogFiles, keys: Sequence[str]) -> ir.Table:
    files = log.files or ((log.schema_file,) if log.schema_file else ())
    if not files:
        raise EventLogError(f"event log {log.key} has no Parquet file at all: not even its columns are known")
    try:
        table = connection.read_parquet([str(path) for path in files], hive_partitioning=False, union_by_name=True)
    except duckdb.Error as error:
        raise EventLogError(f"event log {log.key} cannot be read: {error}") from error
    _check_columns(table, log, keys)
    return table if log.files else table.limit(0)


def _check_columns(table: ir.Table, log: LogFiles, keys: Sequence[str]) -> None:
    columns = log.selection.columns
    times = [columns.time] + ([columns.known] if columns.known else [])
    missing = sorted({*times, *columns.key, *keys} - set(table.columns))
    if missing:
        raise EventLogError(f"event log {log.key} lacks the columns {missing}; its files have {list(table.columns)}")
    for name in times:
        dtype = table[name].type()
        if not dtype.is_timestamp() or dtype.timezone is None:
            raise EventLogError(
                f"event log {log.key}: column {name} is of type {dtype}; write timestamps with a time zone (UTC)"
            )
    for path in log.files:
        # Beside files that have a time zone, DuckDB takes these for UTC.
        types = {field.name: field.type for field in pq.read_schema(path)}
        naive = [name for name in times if pa.types.is_timestamp(types.get(name, pa.null())) and types[name].tz is None]
        if naive:
            raise EventLogError(
                f"event log {log.key}: {path} has {naive} without a time zone; write timestamps with a time zone (UTC)"
            )
