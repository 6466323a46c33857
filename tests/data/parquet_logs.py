"""Event logs in Parquet files, and the examples of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.logs.log_files import ExamplesQuery, LogFiles, PartitionFiles
from ml_assets.data.logs.log_rows import Read
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Columns

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = Interval(NOON - 12 * HOUR, NOON + 12 * HOUR)


def instants(*times: datetime, unit: str = "us", zone: str | None = "UTC", plus_ns: int = 0) -> pa.Array:
    since_1970 = pd.DatetimeIndex(times).tz_localize(None).as_unit("ns").asi8 + plus_ns
    return pa.array(since_1970, pa.timestamp("ns")).cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))


def written(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def log_files(log: str, /, *files: Path, schema_file: Path | None = None, **columns: Any) -> LogFiles:
    names = Columns(**({"time": "time", "key": ("id",)} | columns))
    return LogFiles(log, (PartitionFiles("2026-03-01", DAY, files),), schema_file, Selection(names, DAY, None))


def query(exposures: LogFiles, outcomes: LogFiles, **changes: Any) -> ExamplesQuery:
    asked: dict[str, Any] = {"keys": ("id",), "by_id": True, "within": HOUR, "observed_until": DAY.end}
    return ExamplesQuery(exposures, outcomes, **asked | changes)


def examples_of(exposures: LogFiles, outcomes: LogFiles, **changes: Any) -> pd.DataFrame:
    return ExampleReader().examples(query(exposures, outcomes, **changes))


def filed(path: Path, *times: datetime, interval: Interval = DAY, **options: Any) -> LogFiles:
    """A log with one partition that holds, or should hold, the instants of the interval."""
    table = pa.table({"id": range(len(times)), "time": instants(*times)})
    pq.write_table(table, path, **options)
    names = Columns("time", ("id",))
    return LogFiles(
        "ads/shown", (PartitionFiles("2026-03-01", interval, (path,)),), None, Selection(names, interval, None)
    )


def reads_of(exposures: LogFiles, outcomes: LogFiles) -> list[Read]:
    reader = ExampleReader()
    reader.examples(query(exposures, outcomes))
    return reader.reads
