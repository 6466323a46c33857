"""What must come of dirty event logs, by a double loop in plain Python, and what comes of them."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ml_assets.data.examples import ExampleReader
from ml_assets.data.footers import check_files
from ml_assets.data.labels import Selection
from ml_assets.data.logs.event_files import EventFolder
from ml_assets.data.logs.log_files import ExamplesQuery, LogFiles, PartitionFiles
from ml_assets.domain.calendar import Calendar, Interval
from ml_assets.domain.contents import Wanted
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.durations import Duration
from tests.data.by_hand import Row, is_missing, newest_versions
from tests.data.dirty_files import APART, DAYS, HOUR, START, WITHIN, File, Window, as_written, days_of


def is_read(file: File) -> bool:
    """Whether the file holds events, by its name: such that begin with _ or . count for nothing."""
    return not file.dirt.name.startswith(("_", "."))


Labels = dict[int, tuple[int, datetime | None]]


def labels_by_hand(window: Window, numbers: Collection[int]) -> Labels:
    """By row of these cases, its label and the time of the first outcome that counts."""
    found = {}
    for number in numbers:
        shown, sold = (_counting(window, number, log) for log in DAYS)
        for row in shown:
            times = [other["time"] for other in sold if _follows(other, row, window)]
            found[row["a_row"]] = (int(bool(times)), min(times, default=None))
    return found


def _follows(outcome: Row, row: Row, window: Window) -> bool:
    key, time = row[window.key], row["time"]
    begun = time <= outcome["time"] if window.by_id else time < outcome["time"]
    return not is_missing(key) and key == outcome[window.key] and begun and outcome["time"] < time + WITHIN


def _counting(window: Window, number: int, log: str) -> list[Row]:
    rows = [
        row | dict.fromkeys(file.dirt.lacks)
        for file in window.cases[number][log]
        if is_read(file)
        for row in as_written(window, file)
    ]
    known, before = window.columns.known, window.known_before
    if known is not None and before is not None:
        rows = [row for row in rows if row[known] is not None and row[known] < before]
    newest = newest_versions(rows, window.columns, lambda row: (row["time"] is not None, row["time"], row["a_row"]))
    return [row for row in newest if row["time"] is not None]


def refusals(window: Window, root: Path, *, spark: bool) -> dict[int, str]:
    """By case, why a day of it does not count as arrived."""
    files: dict[str, dict[str, list[Any]]] = {}
    found: dict[int, str] = {}
    for key in DAYS:
        log = event_log(window, key)
        folder = EventFolder(root, log)
        for number, one in _partitions(window, log):
            folder.marked_fingerprint(one, "_SUCCESS")
            if one in folder.problems:
                found[number] = f"{key} {folder.problems[one]}"
        for number, one in _partitions(window, log):
            if number not in found:
                files.setdefault(key, {})[one] = folder.data_files(one)
    wanted = Wanted.of_logs([(key, window.columns) for key in DAYS], [window.key])
    misfits = check_files(files, replace(wanted, spark=spark))
    for key in DAYS:
        for number, one in _partitions(window, event_log(window, key)):
            if why := misfits.get(key, {}).get(one):
                found[number] = why
    return found


def labels(window: Window, root: Path, numbers: Collection[int], reader: ExampleReader) -> Labels:
    """As `labels_by_hand`, of the files. Raises: EventLogError."""
    logs = [_log_files(window, event_log(window, key), root, numbers) for key in DAYS]
    until = START + APART * len(window.cases) * 24 * HOUR
    found = reader.examples(ExamplesQuery(*logs, (window.key,), window.by_id, WITHIN, until))
    times = found["outcome_time"].astype(object).where(found["outcome_time"].notna(), None)
    assert not found["a_row"].duplicated().any()
    return {row: (label, time) for row, label, time in zip(found["a_row"], found["label"], times, strict=True)}


def event_log(window: Window, key: str) -> EventLog:
    """What a team declares."""
    return EventLog(key, key, Calendar("day", START.date(), "UTC"), Duration(3, "d"), window.columns)


def _partitions(window: Window, log: EventLog) -> list[tuple[int, str]]:
    return [
        (number, log.partitions.key(day)) for number in range(len(window.cases)) for day in days_of(number, log.key)
    ]


def _log_files(window: Window, log: EventLog, root: Path, numbers: Collection[int]) -> LogFiles:
    folder = EventFolder(root, log)
    parts = [
        PartitionFiles(one, log.partitions.interval(log.partitions.index_of(one)), tuple(folder.data_files(one)))
        for number, one in _partitions(window, log)
        if number in numbers
    ]
    whole = Interval(START, START + APART * len(window.cases) * 24 * HOUR)
    some = next((file for part in parts for file in part.files), None)
    return LogFiles(log.key, tuple(parts), some, Selection(window.columns, whole, window.known_before))
