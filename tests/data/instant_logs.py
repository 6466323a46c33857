"""Small logs of a few instants, to be labelled."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


def log(*times: datetime, **columns: list[Any]) -> pd.DataFrame:
    frame = pd.DataFrame({"time": pd.DatetimeIndex(list(times), dtype="datetime64[us, UTC]")})
    values = {"id": [1] * len(times), **columns}
    return frame.assign(**{name: pd.array(value, dtype=dtype(value)) for name, value in values.items()})


def dtype(values: list[Any]) -> str:
    return "string" if any(isinstance(value, str) for value in values) else "Int64"


def hour(**changes: Any) -> dict[str, Any]:
    return {"keys": ["id"], "by_id": True, "within": HOUR, "observed_until": NOON + 2 * HOUR} | changes
