"""Event logs on disk: one folder for each partition, complete when its marker is there.

Only the layout lives here: `<log>/date=2026-01-01/part-0.parquet`, then an empty `_SUCCESS`. What the rows
mean is the matter of the module that makes them.
"""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml_assets.domain.calendar import FOLDER_COLUMNS, KEY_FORMATS, Every
from ml_assets.paths import AnyPath, name_below

MARKER = "_SUCCESS"
PART = "part-0.parquet"
_AT_ONCE = 16


def days(first_day: date, last_day: date) -> Iterator[date]:
    """The days from `first_day` to `last_day`, both included."""
    for offset in range((last_day - first_day).days + 1):
        yield first_day + timedelta(days=offset)


def rows_of_day(frame: pd.DataFrame, day: date, timezone: str) -> pd.DataFrame:
    """The rows whose `event_time` is on the local calendar day, which has 23 to 25 hours where clocks change."""
    start = pd.Timestamp(day, tz=timezone)
    end = pd.Timestamp(day + timedelta(days=1), tz=timezone)
    return frame[(frame["event_time"] >= start) & (frame["event_time"] < end)]


@contextmanager
def writing_days(
    events_root: AnyPath, *, shift: timedelta, on_partition: Callable[[str], None] | None
) -> Iterator[Callable[[str, date, pd.DataFrame], object]]:
    """Meanwhile, what is called with a log, a day and its rows, and writes them, their instants moved by `shift`.

    A day that is complete stays as it is: the demo goes on where it was interrupted. `on_partition` is told each
    partition that is written, such as `ads/impressions/date=2026-01-01`. Elsewhere several are written at once, of
    which no reader minds the order: until a file is closed, HDFS may take half a second.
    """

    def write(log: str, day: date, rows: pd.DataFrame) -> None:
        key = (day + shift).isoformat()
        if (events_root / log / f"date={key}" / MARKER).exists():
            return
        times = {name: rows[name] + shift for name in rows.select_dtypes("datetimetz")}
        if write_partition(events_root / log, key, rows.assign(**times)) and on_partition:
            on_partition(f"{log}/date={key}")

    if isinstance(events_root, Path):
        yield write
        return
    pool = ThreadPoolExecutor(_AT_ONCE)
    begun: list[Future[None]] = []
    try:
        yield lambda log, day, rows: begun.append(pool.submit(write, log, day, rows))
        for one in begun:
            one.result()
    finally:
        pool.shutdown(cancel_futures=True)


def write_partition(folder: AnyPath, key: str, frame: pd.DataFrame, *, every: Every = "day") -> bool:
    """Write all rows of a partition, such as the day `2026-01-01`, of the log at `folder`, instead of those it has.

    Args: `every`: what a partition of the log is; a week is named by its first day, an hour as `2026-01-01-00:00+0900`.
    Returns: False when the partition is complete and holds exactly these rows already; it is then left as it is.
    Raises: ValueError when a column has no type, as an empty column of Python strings has none, or `key` names none.
    """
    partition = folder / f"{FOLDER_COLUMNS[every]}={name_below(folder, _check_key(key, every))}"
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    untyped = [field.name for field in table.schema if pa.types.is_null(field.type)]
    if untyped:
        raise ValueError(f"{partition}: give {', '.join(untyped)} a type, else the schema depends on the rows")
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    content, others = buffer.getvalue(), _others(partition)
    if not others and (partition / MARKER).exists() and _content(partition / PART) == content:
        return False
    partition.mkdir(parents=True, exist_ok=True)
    # A reader that lists *.parquet never sees half a file; in an object store no file is there before it is whole.
    unfinished = partition / (f".{PART}.unfinished" if isinstance(partition, Path) else PART)
    if isinstance(unfinished, Path):
        # On a disk that is full, what was there stays.
        unfinished.write_bytes(content)
    # Nothing has arrived until all of it is there; a reader that has begun sees that the marker has gone.
    (partition / MARKER).unlink(missing_ok=True)
    if isinstance(unfinished, Path):
        unfinished.replace(unfinished.with_name(PART))
    else:
        unfinished.write_bytes(content)
    for other in others:
        other.unlink()
    (partition / MARKER).touch()
    return True


def _check_key(key: str, every: Every) -> str:
    """The key of a partition. Raises: ValueError for one that the reader would not find."""
    example = "2026-01-01-00:00+0900" if every == "hour" else "2026-01-01"
    try:
        instant = datetime.strptime(key, KEY_FORMATS[every]).replace(tzinfo=UTC)
    except ValueError:
        instant = None
    # It takes some other spellings, too.
    if instant is None or len(key) != len(example):
        raise ValueError(f"{key!r} names no {every}; write it as {example}")
    return key


def _others(partition: AnyPath) -> list[AnyPath]:
    """The data files of a partition beside ours."""
    if not partition.exists():
        return []
    return [path for path in partition.iterdir() if path.is_file() and path.name != PART and path.name[0] not in "_."]


def _content(file: AnyPath) -> bytes | None:
    return file.read_bytes() if file.exists() else None
