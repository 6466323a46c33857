import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ml_assets.data.logs.event_files import EventFilesError, EventFolder, partition_folder
from ml_assets.domain.calendar import Calendar, Every
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.durations import Duration

MARKER = "_SUCCESS"


def event_log(every: Every = "day") -> EventLog:
    return EventLog(
        key="ads/impressions",
        location="raw/impressions",
        partitions=Calendar(every, date(2026, 1, 1), "Asia/Tokyo"),
        lookahead=Duration(8, "d"),
        columns=Columns("event_time", ("impression_id",)),
    )


def partition_folders(root: Path, log: EventLog) -> dict[str, Path]:
    folder = EventFolder(root, log)
    return {partition: root / log.location / name for partition, name in folder.folders.items()}


def data_files(folder: Path) -> list[Path]:
    """The files of the partition in a folder below that of its log."""
    key = folder.name.removeprefix("date=")
    return EventFolder(folder.parents[2], event_log()).data_files(key)


def fingerprint(folder: Path, marker: str) -> str | None:
    return EventFolder(folder.parents[2], event_log()).marked_fingerprint("2026-01-01", marker)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A partition of two files that has arrived."""
    folder = tmp_path / "raw" / "impressions" / "date=2026-01-01"
    folder.mkdir(parents=True)
    for name in ("a.parquet", "b.parquet", MARKER):
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.mark.parametrize(
    ("every", "index", "name"),
    [
        ("day", 3, "date=2026-01-04"),
        ("week", 1, "week=2026-01-08"),
        ("hour", 25, "hour=2026-01-02-01:00+0900"),
    ],
)
def test_a_partition_lies_in_a_folder_named_after_its_key(every: Every, index: int, name: str, tmp_path: Path) -> None:
    log = event_log(every)
    expected = tmp_path / "raw" / "impressions" / name
    assert partition_folder(tmp_path, log, log.partitions.key(index)) == expected
    expected.mkdir(parents=True)
    assert partition_folders(tmp_path, log) == {log.partitions.key(index): expected}


#: The 29th of March 2026 has no hour from 02:00 on in Berlin, the 25th of October two.
BERLIN_HOURS = {
    "2026-03-29-01:00+0100": "hour=2026-03-29-01%3A00+0100",
    "2026-03-29-03:00+0200": "hour=2026-03-29-03%3A00+0200",
    "2026-10-25-02:00+0200": "hour=2026-10-25-02%3A00+0200",
    "2026-10-25-02:00+0100": "hour=2026-10-25-02%3A00+0100",
}


def test_hours_are_found_under_the_names_that_hive_and_spark_give_them(tmp_path: Path) -> None:
    log = replace(event_log(), partitions=Calendar("hour", date(2026, 3, 1), "Europe/Berlin"))
    expected = {key: tmp_path / log.location / name for key, name in BERLIN_HOURS.items()}
    for folder in expected.values():
        folder.mkdir(parents=True)
    assert partition_folders(tmp_path, log) == expected
    assert all(log.partitions.holds(key) for key in partition_folders(tmp_path, log))


@pytest.mark.parametrize(
    "name", ["hour=2026-03-29-01:00+0100", "hour=2026-03-29-01%3A00+0100", "hour=2026-03-29-01%3a00%2B0100"]
)
def test_the_files_of_an_hour_are_found_whichever_way_its_folder_is_written(name: str, tmp_path: Path) -> None:
    log = replace(event_log(), partitions=Calendar("hour", date(2026, 3, 1), "Europe/Berlin"))
    folder = tmp_path / log.location / name
    folder.mkdir(parents=True)
    (folder / "a.parquet").touch()
    assert partition_folders(tmp_path, log) == {"2026-03-29-01:00+0100": folder}
    assert EventFolder(tmp_path, log).data_files("2026-03-29-01:00+0100") == [folder / "a.parquet"]


def test_the_folders_of_a_log_come_in_the_order_of_time_and_nothing_else_with_them(tmp_path: Path) -> None:
    log = event_log()
    for name in ("date=2026-01-10", "date=2026-01-02", "hour=2026-01-01", "_temporary", "notes"):
        (tmp_path / log.location / name).mkdir(parents=True)
    (tmp_path / log.location / "date=2026-01-03").touch()
    assert list(partition_folders(tmp_path, log)) == ["2026-01-02", "2026-01-10"]


def test_a_log_without_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"event log ads/impressions: there is no folder .*raw/impressions"):
        partition_folders(tmp_path, event_log())


def test_a_log_whose_folder_is_empty_has_no_partitions(tmp_path: Path) -> None:
    (tmp_path / event_log().location).mkdir(parents=True)
    assert partition_folders(tmp_path, event_log()) == {}


def test_hidden_and_underscored_files_hold_no_events(folder: Path) -> None:
    for name in (".a.parquet", "_metadata.parquet", "a.parquet.crc", "notes.txt"):
        (folder / name).touch()
    assert data_files(folder) == [folder / "a.parquet", folder / "b.parquet"]


def test_a_partition_that_does_not_exist_has_no_files(tmp_path: Path) -> None:
    (tmp_path / event_log().location).mkdir(parents=True)
    assert EventFolder(tmp_path, event_log()).data_files("2026-01-01") == []


def test_a_fingerprint_is_sixteen_hexadecimal_digits(folder: Path) -> None:
    found = fingerprint(folder, MARKER) or ""
    assert len(found) == 16
    int(found, 16)


def test_reading_and_listing_leave_the_fingerprint_as_it_is(folder: Path) -> None:
    before = fingerprint(folder, MARKER)
    for path in folder.iterdir():
        path.read_bytes()
    os.utime(folder)
    assert fingerprint(folder, MARKER) == before


@pytest.mark.parametrize("name", [".a.parquet", "_temporary.parquet", "notes.txt"])
def test_a_file_that_holds_no_events_leaves_the_fingerprint_as_it_is(name: str, folder: Path) -> None:
    before = fingerprint(folder, MARKER)
    (folder / name).touch()
    assert fingerprint(folder, MARKER) == before


@pytest.mark.parametrize("name", ["a.parquet", MARKER])
def test_a_file_written_again_changes_the_fingerprint_though_its_bytes_are_the_same(name: str, folder: Path) -> None:
    before, old = fingerprint(folder, MARKER), (folder / name).stat()
    (folder / name).write_bytes((folder / name).read_bytes())
    # The clock of a file system may be coarser than this test is fast.
    os.utime(folder / name, ns=(old.st_atime_ns, old.st_mtime_ns + 1_000_000))
    assert fingerprint(folder, MARKER) != before


def test_a_file_of_another_size_changes_the_fingerprint_though_its_time_is_the_same(folder: Path) -> None:
    before, old = fingerprint(folder, MARKER), (folder / "a.parquet").stat()
    (folder / "a.parquet").write_bytes(b"longer than before")
    os.utime(folder / "a.parquet", ns=(old.st_atime_ns, old.st_mtime_ns))
    assert fingerprint(folder, MARKER) != before


def test_a_file_added_changes_the_fingerprint_and_removed_restores_it(folder: Path) -> None:
    before = fingerprint(folder, MARKER)
    (folder / "c.parquet").touch()
    assert fingerprint(folder, MARKER) != before
    (folder / "c.parquet").unlink()
    assert fingerprint(folder, MARKER) == before


def test_a_file_renamed_changes_the_fingerprint(folder: Path) -> None:
    before = fingerprint(folder, MARKER)
    (folder / "b.parquet").rename(folder / "c.parquet")
    assert fingerprint(folder, MARKER) != before


def test_a_partition_without_events_has_a_fingerprint(folder: Path) -> None:
    full = fingerprint(folder, MARKER)
    for path in data_files(folder):
        path.unlink()
    assert fingerprint(folder, MARKER) != full


def test_a_partition_without_its_marker_has_no_fingerprint(folder: Path) -> None:
    (folder / MARKER).unlink()
    assert fingerprint(folder, MARKER) is None


def test_two_folders_of_one_partition_are_refused(tmp_path: Path) -> None:
    log = replace(event_log(), partitions=Calendar("hour", date(2026, 3, 1), "Europe/Berlin"))
    for name in ("hour=2026-03-29-01:00+0100", "hour=2026-03-29-01%3A00+0100"):
        (tmp_path / log.location / name).mkdir(parents=True)
    with pytest.raises(EventFilesError, match="are the same partition; keep one of them"):
        partition_folders(tmp_path, log)


def test_a_folder_that_cannot_be_listed_is_no_partition_without_events(tmp_path: Path) -> None:
    log = event_log()
    path = tmp_path / log.location / "date=2026-01-01"
    path.mkdir(parents=True)
    folder = EventFolder(tmp_path, log)
    path.rmdir()
    path.touch()
    with pytest.raises(NotADirectoryError):
        folder.data_files("2026-01-01")


def problem(folder: Path, marker: str = MARKER) -> str | None:
    found = EventFolder(folder.parents[2], event_log())
    found.marked_fingerprint("2026-01-01", marker)
    return found.problems.get("2026-01-01")


@pytest.mark.parametrize(
    "name", ["20260302_00012_abcde", "part-0.parq", "part-0.PARQUET", "rows.csv", "hour=13/a.parquet"]
)
def test_files_of_another_name_and_no_other_are_a_problem(name: str, folder: Path) -> None:
    for path in data_files(folder):
        path.unlink()
    assert problem(folder) is None, "a marker alone is a day without events"
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()
    assert (problem(folder) or "").startswith(
        f"date=2026-01-01: the rows of {name.removesuffix('a.parquet')} would be left out"
    )
    (folder / MARKER).unlink()
    assert problem(folder) is None, "it may still be written"


@pytest.mark.parametrize(
    "name",
    [
        "20260302_00012_abcde",
        "000000_0",
        "part-1.parq",
        "part-1.parquet.gz",
        "part-00001.snappy",
        "hour=13/a.parquet",
        "region=eu/a.parquet",
        "c.parquet/part-0.parquet",
    ],
)
def test_beside_files_of_the_right_name_those_that_may_hold_rows_are_a_problem(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()
    assert name.partition("/")[0] in (problem(folder) or "")


@pytest.mark.parametrize(
    "name", ["_committed_1", ".a.parquet.crc", "a.parquet.crc", "a.parquet.md5", "notes.txt", "README", "_temporary/a"]
)
def test_what_holds_no_rows_beside_them_is_none(name: str, folder: Path) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()
    assert problem(folder) is None


def test_a_marker_of_any_name_is_none(folder: Path) -> None:
    (folder / "load1").touch()
    assert problem(folder) is not None
    assert problem(folder, "load1") is None
