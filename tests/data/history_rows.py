"""Rows that a history is made of, as tests write them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.history import Feature
from tests.data.by_hand import newest_versions

Row = dict[str, Any]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CORRECTED = Columns("time", ("key",), "known")
PLAIN = Columns("time", ("key",))
FEATURES = {
    name: Feature(name, None if name == "count" else "price") for name in ("count", "sum", "mean", "min", "max", "last")
}
LOG_TYPES = {
    "key": "Int64",
    "user": "string",
    "item": "Int64",
    "time": "datetime64[us, UTC]",
    "known": "datetime64[us, UTC]",
    "gone": "boolean",
    "price": "Float64",
}


def typed(rows: Sequence[Row], types: Mapping[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            name: pd.Series([row.get(name) for row in rows], dtype=dtype if "datetime" not in dtype else None)
            for name, dtype in types.items()
        }
    ).astype({name: dtype for name, dtype in types.items() if "datetime" in dtype})


def plain(frame: pd.DataFrame) -> list[Row]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def by_hand(
    exposures: Sequence[Row],
    log: Sequence[Row],
    *,
    columns: Columns = CORRECTED,
    by: Sequence[str] = ("user",),
    within: timedelta = 5 * MINUTE,
    features: Mapping[str, Feature] = FEATURES,
) -> list[Row]:
    """Each exposure against each row."""
    rows = [{name: row.get(name) for name in LOG_TYPES} for row in log]
    return [of_one(exposure, rows, columns, by, within, features) for exposure in exposures]


def of_one(
    exposure: Row,
    log: list[Row],
    columns: Columns,
    by: Sequence[str],
    within: timedelta,
    features: Mapping[str, Feature],
) -> Row:
    at, seen = exposure["at"], []
    for row in as_known(log, columns, at):
        same = all(exposure.get(name) is not None and exposure[name] == row[name] for name in by)
        if same and row["time"] is not None and at - within <= row["time"] < at:
            seen.append(row)
    known = columns.known or columns.time
    newest = sorted(seen, key=lambda row: (row["time"], row[known]))
    values = {name: value(feature, newest, known) for name, feature in features.items()}
    return {**values, "feature_time": max((max(row["time"], row[known]) for row in seen), default=None)}


def as_known(log: list[Row], columns: Columns, at: datetime) -> list[Row]:
    """The newest version of each key that was known before an instant, without what was taken back."""
    known = columns.known
    if known is not None:
        log = [row for row in log if row[known] is not None and row[known] < at]
    return newest_versions(log, columns, lambda row: order(row, columns))


def order(row: Row, columns: Columns) -> tuple[object, ...]:
    names = [columns.time, *sorted(LOG_TYPES)]
    return tuple((True, row[name]) if row[name] is not None else (False,) for name in names)


def value(feature: Feature, newest: list[Row], known: str) -> object:
    if feature.column is None:
        return len(newest)
    values = [row[feature.column] for row in newest]
    if feature.function == "last":
        at_once = [row for row in newest if all(row[name] == newest[-1][name] for name in ("time", known))]
        return max((row[feature.column] for row in at_once if row[feature.column] is not None), default=None)
    there = [value for value in values if value is not None]
    if not there:
        return None
    return {"sum": sum(there), "mean": sum(there) / len(there), "min": min(there), "max": max(there)}[feature.function]


def minute(number: float) -> datetime:
    return NOON + number * MINUTE


def visit(time: float, known: float | None = None, **changes: Any) -> Row:
    """A row of user a, known when it happens if not said otherwise."""
    later = time if known is None else known
    return {"key": 1, "user": "a", "time": minute(time), "known": minute(later), "price": 1.0, **changes}


def shown(at: float = 10, user: str | None = "a") -> Row:
    return {"user": user, "at": minute(at)}


def examples(*rows: Row, **columns: Any) -> pd.DataFrame:
    return typed(rows, {"user": "string", "at": "datetime64[us, UTC]"}).astype({"user": object}).assign(**columns)
