"""Rows of an event log that lie in the file of another partition: a few are dirt, many a log that is cut otherwise."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ml_assets.data.engines.engine import EventLogError
from ml_assets.data.logs.log_files import LogFiles
from ml_assets.domain.calendar import Interval
from ml_assets.paths import AnyPath

#: A few stray rows are dirt; more say that the log is not partitioned by event time in its time zone.
STRAYS_ALLOWED = 10
STRAY_SHARE_ALLOWED = 0.01


def find_strays(log: LogFiles) -> dict[AnyPath, Interval]:
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
