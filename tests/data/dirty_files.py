"""Event logs as people write them: files that differ in types, columns and names."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from ml_assets.domain.declared.event_log import Columns
from tests.data.by_hand import Row

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
KEYS = len(_WORDS)
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
    text = str(number + LARGE) if large else _WORDS[number % KEYS] + "'" * (number // KEYS)
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
