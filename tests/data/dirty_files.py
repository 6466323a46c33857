"""Event logs as people write them: files that differ in types, columns and names; and what must come of them."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from ml_assets.data.event_files import EventFolder
from ml_assets.data.examples import ExampleReader
from ml_assets.data.footers import check_files
from ml_assets.data.labels import Selection
from ml_assets.data.log_files import ExamplesQuery, LogFiles, PartitionFiles
from ml_assets.domain.calendar import Calendar, Interval
from ml_assets.domain.contents import Wanted
from ml_assets.domain.durations import Duration
from ml_assets.domain.event_log import Columns, EventLog
from tests.data.by_hand import Row, is_missing, newest_versions

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
#: How many days a case has of each log, and how many until the next case begins.
DAYS, APART = {"shop/shown": 2, "shop/sold": 3}, 5
WITHIN = timedelta(hours=30)
#: Keys beyond which floats tell no neighbours apart.
LARGE = 2**53
MICROSECOND = timedelta(microseconds=1)


class Dirt(NamedTuple):
    """What is odd about one file."""

    types: Mapping[str, str] = {}
    lacks: tuple[str, ...] = ()
    renamed: Mapping[str, str] = {}
    reverse: bool = False
    name: str = ""


@dataclass(frozen=True)
class File:
    """Rows of one day, and how they are written."""

    day: int
    rows: tuple[Row, ...]
    dirt: Dirt


#: A case: of each log the files of some days, which nothing joins with those of another case.
Case = Mapping[str, tuple[File, ...]]


@dataclass(frozen=True)
class Window:
    """Some cases one after the other, what is declared of their logs, and what a model asks of them."""

    columns: Columns
    key: str
    by_id: bool
    large: bool
    known_before: datetime | None
    types: Mapping[str, str]
    cases: tuple[Case, ...]


# --- values, as a file of some type holds them

_NUMBERS = {
    "int8": pa.int8(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint64": pa.uint64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "decimal": pa.decimal128(20, 0),
    "cents": pa.decimal128(22, 2),
}
_TEXTS = {"text": pa.string(), "large text": pa.large_string(), "words": pa.dictionary(pa.int32(), pa.string())}
_OTHERS = {"uuid": pa.uuid(), "nothing": pa.null(), "bytes": pa.binary(), "truth": pa.bool_()}
KEY_TYPES: dict[str, pa.DataType] = {**_NUMBERS, **_TEXTS, **_OTHERS}
_WORDS = ["1", "1.0", "NaN", "", "None"]
_KEYS = len(_WORDS)
TIME_TYPES: dict[str, pa.DataType] = {
    "us": pa.timestamp("us", "UTC"),
    "ns": pa.timestamp("ns", "UTC"),
    "Tokyo": pa.timestamp("ms", "Asia/Tokyo"),
    "naive": pa.timestamp("us"),
    "text": pa.string(),
    "number": pa.int64(),
    "nothing": pa.null(),
    "day": pa.date32(),
}
MARK_TYPES: dict[str, pa.DataType] = {
    "truth": pa.bool_(),
    "int64": pa.int64(),
    "text": pa.string(),
    "nothing": pa.null(),
}
ODD_TYPES: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "text": pa.string(),
    "list": pa.list_(pa.int64()),
    "record": pa.struct([("a", pa.int64())]),
    "map": pa.map_(pa.string(), pa.int64()),
    "nothing": pa.null(),
    "date": pa.date32(),
}
TYPES = {
    "id": KEY_TYPES,
    "user": KEY_TYPES,
    "time": TIME_TYPES,
    "known": TIME_TYPES,
    "gone": MARK_TYPES,
    "odd": ODD_TYPES,
}


def key_value(number: int | float | None, kind: str, large: bool) -> Any:
    """The key of that number in a column of that type; NaN stays NaN where the type has it."""
    if number is None or kind == "nothing":
        return None
    if math.isnan(number):
        return math.nan if kind.startswith("float") else None
    number = int(number)
    if kind in _NUMBERS:
        whole = number + (LARGE if large and kind not in ("int8", "int32", "float32") else 0)
        return float(whole) if kind.startswith("float") else Decimal(whole) if kind in ("decimal", "cents") else whole
    if kind == "uuid":
        return UUID(int=number)
    if kind == "truth":
        return bool(number % 2)
    text = str(number + LARGE) if large else _WORDS[number % _KEYS] + "'" * (number // _KEYS)
    return text.encode() if kind == "bytes" else text


def time_value(time: datetime | None, kind: str) -> Any:
    if time is None or kind == "nothing":
        return None
    match kind:
        case "text":
            return time.isoformat()
        case "number":
            return int(time.timestamp())
        case "naive":
            return time.replace(tzinfo=None)
        case "day":
            return time.date()
    return time


def mark_value(mark: bool | None, kind: str) -> Any:
    if mark is None or kind == "nothing":
        return None
    return {"int64": int(mark), "text": str(mark)}.get(kind, mark)


def odd_value(number: int, kind: str) -> Any:
    values = {"list": [number, None], "record": {"a": number}, "map": [("a", number)], "date": date(2026, 1, 1)}
    return {**values, "text": f"{number}", "nothing": None}.get(kind, number)


def as_written(window: Window, file: File) -> list[Row]:
    """The rows with the values that the file holds."""
    kinds = {**window.types, **file.dirt.types}
    rows = []
    for row in file.rows:
        values: Row = {"a_row": row["a_row"]}
        for name in ("id", "user"):
            values[name] = key_value(row[name], kinds[name], window.large)
        for name in ("time", "known"):
            values[name] = time_value(row[name], kinds[name])
        values["gone"] = mark_value(row["gone"], kinds["gone"])
        values["odd"] = odd_value(row["a_row"], kinds["odd"])
        rows.append(values)
    return rows


def write(window: Window, root: Path) -> None:
    """Write the logs below a folder, each day with its marker."""
    for number, case in enumerate(window.cases):
        for log, files in case.items():
            for day in days_of(number, log):
                folder = root / log / f"date={START.date() + timedelta(days=day)}"
                folder.mkdir(parents=True)
                (folder / "_SUCCESS").touch()
                for which, file in enumerate(file for file in files if file.day == day):
                    _write(window, file, folder / (file.dirt.name.format(which) or f"part-{which}.parquet"))


def days_of(case: int, log: str) -> range:
    """The days of a case, by its number."""
    return range(APART * case, APART * case + DAYS[log])


def _write(window: Window, file: File, path: Path) -> None:
    kinds = {**window.types, **file.dirt.types}
    rows = as_written(window, file)
    columns = {"a_row": pa.array([row["a_row"] for row in rows], pa.int64())}
    for name, types in TYPES.items():
        if name not in file.dirt.lacks or name in file.dirt.renamed:
            columns[file.dirt.renamed.get(name, name)] = _array([row[name] for row in rows], types[kinds[name]])
    if file.dirt.reverse:
        columns = dict(reversed(columns.items()))
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if kind == pa.uuid():
        values = [None if value is None else value.bytes for value in values]
    return pa.array(values, kind, from_pandas=False)


# --- what must come of it


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


# --- the product


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


# --- draws

_WRONG_NAMES = ["part-{}.parq", "20260302_{:05}_abcde", "hour=13/part-{}.parquet", "part-{}.PARQUET"]
_IGNORED_NAMES = ["_part-{}.parquet", ".part-{}.parquet"]
_DECLARED = [Columns("time", ("id",)), Columns("time", ("id",), "known"), Columns("time", ("id",), "known", "gone")]
_USUAL = {
    "id": ["int64", "int64", "text", "uuid", "decimal", "words", "int32", "float64", "nothing"],
    "user": ["int64", "int64", "text", "uuid", "decimal", "large text", "float64"],
    "time": ["us", "us", "ns"],
    "known": ["us", "us", "Tokyo"],
    "gone": ["truth"],
    "odd": ["int64", "text", "list", "record", "map"],
}


def draw(seed: int, cases: int) -> Window:
    """Two logs of so many cases, each clean or more or less dirty."""
    rng = Random(seed)
    by_id = rng.random() < 0.5
    rows = count()
    return Window(
        columns=rng.choice(_DECLARED),
        key="id" if by_id else "user",
        by_id=by_id,
        large=rng.random() < 0.5,
        known_before=rng.choice([None, START + (APART * (cases // 2) + 2) * 24 * HOUR]),
        types={name: rng.choice(kinds) for name, kinds in _USUAL.items()},
        cases=tuple(_case(rng, number, rows) for number in range(cases)),
    )


def _case(rng: Random, number: int, rows: Iterator[int]) -> Case:
    dirty, first = rng.choice([0, 0.1, 0.2, 0.4]), APART * number
    return {
        log: tuple(
            File(day, _rows(rng, number, day, rows), _dirt(rng, day > first) if rng.random() < dirty else Dirt())
            for day in days_of(number, log)
            # A log of which no file is read at all has no columns.
            for _ in range(rng.choice([0, 1, 1, 2] if day > first else [1, 2]))
        )
        for log in DAYS
    }


def _rows(rng: Random, case: int, day: int, rows: Iterator[int]) -> tuple[Row, ...]:
    found, begun = [], START + APART * case * 24 * HOUR
    for _ in range(rng.choice([0, 3, 5, 8])):
        time = START + day * 24 * HOUR + rng.randrange(24) * HOUR + rng.choice([0, 0, 1]) * MICROSECOND
        found.append(
            {
                "a_row": next(rows),
                **{
                    name: rng.choice([*range(_KEYS * case, _KEYS * (case + 1)), None, math.nan])
                    for name in ("id", "user")
                },
                "time": rng.choice([time] * 15 + [None]),
                "known": rng.choice([time, time + HOUR, begun + 30 * HOUR, begun + 60 * HOUR, None]),
                "gone": rng.choice([None, False, False, True]),
            }
        )
    return tuple(found)


def _dirt(rng: Random, may_be_ignored: bool) -> Dirt:
    name = rng.choice(["id", "user", "time", "known", "gone", "odd"])
    match rng.randrange(8 if may_be_ignored else 7):
        case 0 | 1 | 2:
            return Dirt(types={name: rng.choice(list(TYPES[name]))})
        case 3:
            return Dirt(lacks=(name,))
        case 4:
            return Dirt(lacks=(name,), renamed={name: rng.choice([name.title(), "visit"])})
        case 5:
            return Dirt(reverse=True)
        case 6:
            return Dirt(name=rng.choice(_WRONG_NAMES))
    return Dirt(name=rng.choice(_IGNORED_NAMES))
