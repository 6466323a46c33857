"""Event logs on disk: one folder for each local calendar day, complete when its marker is there.

Only the layout lives here: `<log>/date=2026-01-01/part-0.parquet`, then an empty `_SUCCESS`. What the rows
mean is the matter of the module that makes them.
"""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml_assets.paths import AnyPath

MARKER = "_SUCCESS"
PART = "part-0.parquet"


def days(first_day: date, last_day: date) -> Iterator[date]:
    """The days from `first_day` to `last_day`, both included."""
    for offset in range((last_day - first_day).days + 1):
        yield first_day + timedelta(days=offset)


def rows_of_day(frame: pd.DataFrame, day: date, timezone: str) -> pd.DataFrame:
    """The rows whose `event_time` is on the local calendar day, which has 23 to 25 hours where clocks change."""
    start = pd.Timestamp(day, tz=timezone)
    end = pd.Timestamp(day + timedelta(days=1), tz=timezone)
    return frame[(frame["event_time"] >= start) & (frame["event_time"] < end)]


def write_day(
    events_root: AnyPath,
    log: str,
    day: date,
    rows: pd.DataFrame,
    *,
    shift: timedelta,
    on_partition: Callable[[str], None] | None,
) -> None:
    """Write the rows of a day of a log, all of whose instants are moved by `shift`: whole days.

    `on_partition` is told the partition, such as `ads/impressions/date=2026-01-01`, unless it was complete already.
    """
    key = (day + shift).isoformat()
    times = {name: rows[name] + shift for name in rows.select_dtypes("datetimetz")}
    if write_partition(events_root / log, key, rows.assign(**times)) and on_partition:
        on_partition(f"{log}/date={key}")


def write_partition(folder: AnyPath, key: str, frame: pd.DataFrame) -> bool:
    """Write the rows of the day `key` (such as `2026-01-01`) of the log at `folder`.

    Returns: False when the partition was complete already; it is then left as it is.
    Raises: ValueError when a column has no type, as an empty column of Python strings has none.
    """
    partition = folder / f"date={key}"
    if (partition / MARKER).exists():
        return False
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    untyped = [field.name for field in table.schema if pa.types.is_null(field.type)]
    if untyped:
        raise ValueError(f"{partition}: give {', '.join(untyped)} a type, else the schema depends on the rows")
    partition.mkdir(parents=True, exist_ok=True)
    # A reader that lists *.parquet never sees half a file; in an object store no file is there before it is whole.
    unfinished = partition / (f".{PART}.unfinished" if isinstance(partition, Path) else PART)
    with unfinished.open("wb") as file:
        pq.write_table(table, file)
    if isinstance(unfinished, Path):
        unfinished.replace(unfinished.with_name(PART))
    (partition / MARKER).touch()
    return True
