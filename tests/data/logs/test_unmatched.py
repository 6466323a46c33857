"""Folders that match no partition of their log, as people and other programs name them."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from upath import UPath

from ml_assets.data.logs.event_files import EventFolder
from ml_assets.data.logs.unmatched import describe_unmatched
from ml_assets.domain.calendar import Calendar, Every
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.durations import Duration
from ml_assets.paths import AnyPath


def event_log(every: Every = "day", start: date = date(2026, 1, 1)) -> EventLog:
    return EventLog(
        key="ads/impressions",
        location="raw/impressions",
        partitions=Calendar(every, start, "Asia/Tokyo"),
        lookahead=Duration(8, "d"),
        columns=Columns("event_time", ("impression_id",)),
    )


def said_of(root: AnyPath, log: EventLog, *, whole: bool = False) -> str:
    return describe_unmatched(EventFolder(root, log, whole=whole), root, log)


@pytest.mark.parametrize(
    ("every", "folder", "right"),
    [
        ("day", "dt=2026-01-05", "it would be date=2026-01-05"),
        ("day", "2026-01-05", "it would be date=2026-01-05"),
        ("day", "date=20260105", "it would be date=2026-01-05"),
        ("day", "date=2026-1-5", "it would be date=2026-01-05"),
        ("day", "date=2026-01-05T00%3A00", "it would be date=2026-01-05"),
        ("day", "year=2026", "a partition is named as date=2026-01-01/*.parquet, with _SUCCESS beside it"),
        ("day", "date=today", "a partition is named as date=2026-01-01/*.parquet, with _SUCCESS beside it"),
        ("hour", "hour=2026-01-05T07", "it would be hour=2026-01-05-07:00+0900"),
        ("hour", "hour=2026-01-05-07%3A00%2B0000", "it would be hour=2026-01-05-16:00+0900"),
        ("hour", "date=2026-01-05", "it would be hour=2026-01-05-00:00+0900"),
        ("week", "week=2026-01-12", "it would be week=2026-01-08 (its weeks begin on Thursdays, as its start, 2026-01"),
        (
            "week",
            "week=2026-W03",
            "it would be week=2026-01-08 (its weeks begin on Thursdays, as its start, 2026-01-01",
        ),
        ("week", "date=2026-01-08", "it would be week=2026-01-08 (its weeks begin on Thursdays, as its start, 2026-01"),
    ],
)
def test_a_folder_that_matches_no_partition_is_told_with_a_right_name(
    every: Every, folder: str, right: str, tmp_path: Path
) -> None:
    (tmp_path / "raw/impressions" / folder).mkdir(parents=True)
    said = said_of(tmp_path, event_log(every))
    words = f"event log ads/impressions: 1 folder matches no partition, so that nothing of it is read, such as {folder}"
    assert said.startswith(f"{words}: {right}")


def test_folders_that_match_no_partition_are_counted(tmp_path: Path) -> None:
    for day in range(5, 27):
        (tmp_path / f"raw/impressions/week=2026-01-{day:02}").mkdir(parents=True)
    # Those of 8, 15 and 22 January are right.
    assert "19 folders match no partition" in said_of(tmp_path, event_log("week"))


@pytest.mark.parametrize(
    "folder",
    [
        "date=2026-01-05",
        "date=2025-12-31",
        "dt=2019-05-05",
        "date=20251231",
        "date=2027-01-01",
        "_temporary",
        ".spark-staging=1",
        "ads",
    ],
)
def test_what_is_a_partition_or_lies_outside_of_the_log_is_not_told(folder: str, tmp_path: Path) -> None:
    (tmp_path / "raw/impressions" / folder).mkdir(parents=True)
    (tmp_path / "raw/impressions" / "dt=2026-01-05").touch()
    log = event_log()
    ended = replace(log, partitions=replace(log.partitions, end=date(2026, 12, 1)))
    assert not said_of(tmp_path, ended)


def test_weeks_of_before_the_start_are_not_told_whatever_their_weekday(tmp_path: Path) -> None:
    for day in ("2025-12-29", "2026-01-04"):
        (tmp_path / "raw/impressions" / f"week={day}").mkdir(parents=True)
    assert not said_of(tmp_path, event_log("week", date(2026, 1, 5)))


def test_folders_in_an_object_store_are_told_as_those_here() -> None:
    root = UPath("memory://unmatched")
    (root / "raw/impressions/dt=2026-01-05").mkdir(parents=True)
    (root / "raw/impressions/dt=2026-01-05/a.parquet").touch()
    for whole in (True, False):
        said = said_of(root, event_log(), whole=whole)
        assert said.endswith("such as dt=2026-01-05: it would be date=2026-01-05")
