"""Event logs in the tables of a warehouse, and the examples of them."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.logs.log_files import ExamplesQuery, LogFiles, PartitionFiles
from ml_assets.domain.calendar import Calendar, Interval
from ml_assets.domain.declared.event_log import Columns, EventLog, Table, Watermark
from ml_assets.domain.durations import Duration
from tests.support.postgres import Postgres

VARIABLE = "WAREHOUSE_URL"
TABLE = Table("analytics.events", VARIABLE)
COLUMNS = Columns("time", ("row",))


def event_log(zone: str = "UTC", every: str = "day", known: str | None = None) -> EventLog:
    calendar = Calendar(every, date(2026, 3, 23), zone)  # type: ignore[arg-type]
    watermark = Watermark("select now()", VARIABLE)
    columns = replace(COLUMNS, known=known)
    return EventLog("shop/events", "", calendar, Duration(3, "d"), columns, watermark, table=TABLE)


def insert(warehouse: Postgres, row: int, time: datetime | None, known: datetime | None = None) -> None:
    warehouse.execute(
        "insert into analytics.events values (:row, :time, :known, 'phone')", row=row, time=time, known=known
    )


def in_table(
    start: datetime, days: int = 1, known_before: datetime | None = None, columns: Columns = COLUMNS
) -> LogFiles:
    """Some days of the table, as a window of all."""
    day = timedelta(days=1)
    parts = [
        PartitionFiles(
            f"{start + number * day:%Y-%m-%d}", Interval(start + number * day, start + (number + 1) * day), ()
        )
        for number in range(days)
    ]
    selection = Selection(columns, Interval(start, start + days * day), known_before)
    return LogFiles("shop/events", tuple(parts), None, selection, TABLE)


def in_files(frame: pd.DataFrame, log: LogFiles, root: Path) -> LogFiles:
    """The same rows in Parquet files, by the day of their event time."""
    parts = []
    for part in log.partitions:
        rows = frame[(frame["time"] >= part.interval.start) & (frame["time"] < part.interval.end)]
        path = root / f"date={part.key}.parquet"
        root.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path)
        parts.append(replace(part, files=(path,)))
    return replace(log, partitions=tuple(parts), table=None)


def examples(exposures: LogFiles, outcomes: LogFiles, **changes: object) -> pd.DataFrame:
    options = {
        "keys": ("id",),
        "by_id": True,
        "within": timedelta(hours=4),
        "observed_until": exposures.selection.interval.end,
    }
    return ExampleReader().examples(ExamplesQuery(exposures, outcomes, **{**options, **changes}))  # type: ignore[arg-type]


def rows_read(warehouse: Postgres) -> int:
    warehouse.execute("select pg_stat_force_next_flush()")
    warehouse.execute("select pg_sleep(1)")
    query = "select seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables where relname = 'events'"
    return int(warehouse.execute(query)[0][0])  # type: ignore[call-overload]


def fill(warehouse: Postgres, name: str, frame: pd.DataFrame) -> None:
    """Write a frame into a new table."""
    types = {
        "row": "bigint",
        "id": "bigint",
        "user": "text",
        "item": "bigint",
        "time": "timestamptz",
        "known": "timestamptz",
    }
    names = ", ".join(f'"{column}" {types[column]}' for column in frame)
    warehouse.execute(f"drop table if exists analytics.{name}")
    warehouse.execute(f"create table analytics.{name} ({names})")
    import sqlalchemy as sa

    with sa.create_engine(warehouse.url, poolclass=sa.NullPool).begin() as connection:
        frame.to_sql(name, connection, schema="analytics", if_exists="append", index=False)
