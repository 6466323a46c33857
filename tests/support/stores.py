"""An event log and a version of an artifact, as tests write them into a store."""

from datetime import date

import pandas as pd
from upath import UPath

from ml_assets.data.logs.event_files import partition_folder
from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.durations import Duration
from ml_assets.paths import path_of

KEY = ("ads/cvr/model", "2026-01-01", "run-1")
LOG = EventLog(
    key="ads/clicks",
    location="raw/ads clicks",
    partitions=Calendar("hour", date(2026, 1, 1), "Europe/Berlin"),
    lookahead=Duration(8, "d"),
    columns=Columns("event_time", ("click_id",)),
)
HOURS = [LOG.partitions.key(index) for index in range(3)]


def remote(url: str) -> UPath:
    found = path_of(url)
    assert isinstance(found, UPath)
    return found


def write(root: UPath, hour: str, name: str, rows: pd.DataFrame | None = None) -> UPath:
    path = partition_folder(root, LOG, hour) / name
    with path.open("wb") as file:
        if rows is not None:
            rows.to_parquet(file)
    return path


def clicks(*ids: int) -> pd.DataFrame:
    return pd.DataFrame({"click_id": ids, "event_time": pd.Timestamp("2026-01-01", tz="UTC")})
