"""Logs in Parquet files that two engines read, who must find the same."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from ml_assets.data.artifacts.content import hash_frame
from ml_assets.data.examples import ExampleReader
from ml_assets.data.labels import Selection
from ml_assets.data.logs.log_files import ExamplesQuery, LogFiles, PartitionFiles
from ml_assets.domain.calendar import Interval
from ml_assets.domain.declared.event_log import Columns
from ml_assets.domain.declared.history import Feature

JOINS: dict[str, dict[str, Any]] = {
    "by id": {"keys": ("id",), "by_id": True},
    "by entity": {"keys": ("user", "item"), "by_id": False},
}
FEATURES = {
    "visits": Feature("count", None),
    "total": Feature("sum", "price"),
    "small": Feature("sum", "share"),
    "average": Feature("mean", "price"),
    "least": Feature("min", "word"),
    "most": Feature("max", "price"),
    "newest": Feature("last", "word"),
}


def one_partition(
    name: str, *files: Path, interval: Interval, known_before: datetime | None = None, **columns: Any
) -> LogFiles:
    names = Columns(**({"time": "time", "key": ("row",)} | columns))
    return LogFiles(name, (PartitionFiles("all", interval, files),), files[0], Selection(names, interval, known_before))


def written(path: Path, frame: pd.DataFrame, parts: int = 2) -> list[Path]:
    path.mkdir(parents=True)
    files = [path / f"part-{number}.parquet" for number in range(parts)]
    for number, file in enumerate(files):
        frame.iloc[number::parts].to_parquet(file, index=False)
    return files


def assert_same(reader: ExampleReader, exposures: LogFiles, outcomes: LogFiles, **options: Any) -> pd.DataFrame:
    """Both engines read the same: rows, their order, dtypes, and the record of what was read."""
    duckdb = ExampleReader()
    query = ExamplesQuery(exposures, outcomes, **options)
    expected, found = duckdb.examples(query), reader.examples(query)
    assert_frame_equal(found, expected, check_exact=True)
    assert hash_frame(found) == hash_frame(expected)
    assert reader.reads == duckdb.reads
    return expected


# Of the same few moments, so that many meet: an hour that comes twice, one that never comes, and midnights.
BERLIN = ZoneInfo("Europe/Berlin")
CLOCKS = [datetime(2026, 3, 28, tzinfo=BERLIN), datetime(2026, 10, 24, tzinfo=BERLIN)]
events = st.lists(
    st.fixed_dictionaries(
        {
            "user": st.sampled_from(["a", "b", None]),
            "item": st.sampled_from([1, 2]),
            "minutes": st.sampled_from([0, 30, 60, 24 * 60, 25 * 60, 26 * 60, 27 * 60, 49 * 60]),
            "micros": st.sampled_from([0, 0, 1, -1]),
        }
    ),
    min_size=1,
    max_size=12,
)


def in_days(folder: Path, rows: list[Any], clocks: datetime, days: list[Interval]) -> LogFiles:
    """The rows by local day; what is before the first day lies there as a stray."""
    times = [
        clocks.astimezone(ZoneInfo("UTC")) + timedelta(minutes=one["minutes"], microseconds=one["micros"])
        for one in rows
    ]
    frame = pd.DataFrame(
        {
            "row": range(len(rows)),
            "user": pd.array([one["user"] for one in rows], dtype="string"),
            "item": [one["item"] for one in rows],
            "time": pd.DatetimeIndex(times).as_unit("us"),
        }
    )
    partitions = []
    for number, day in enumerate(days):
        local = day.start.astimezone(BERLIN).date()
        path = folder / f"date={local}"
        path.mkdir(parents=True)
        begins = frame["time"] >= day.start if number else True
        frame[begins & (frame["time"] < day.end)].to_parquet(path / "part-0.parquet", index=False)
        partitions.append(PartitionFiles(str(local), day, (path / "part-0.parquet",)))
    selection = Selection(Columns("time", ("row",)), Interval(days[0].start, days[-1].end), None)
    return LogFiles(folder.name, tuple(partitions), partitions[0].files[0], selection)


def priced(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """Prices whose sum depends on the order in which they are added."""
    time = pd.DatetimeIndex(np.datetime64("2026-03-01", "us") + rng.integers(0, 480, rows).astype("timedelta64[m]"))
    return pd.DataFrame(
        {
            "row": rng.integers(0, rows // 2, rows),
            "user": pd.array(rng.choice(["a", "b", None], rows), dtype="string"),
            "time": time.tz_localize("UTC"),
            "known": (time + rng.integers(0, 30, rows).astype("timedelta64[m]")).tz_localize("UTC"),
            "gone": pd.array(rng.choice([None, False, False, True], rows), dtype="boolean"),
            "price": pd.array(np.where(rng.random(rows) < 0.1, None, rng.normal(size=rows) / 7), dtype="Float64"),
            "share": rng.random(rows).astype("float32"),
            "word": rng.choice(["é", "z", "Z", None], rows),
        }
    )
