"""What has arrived, by each kind of arrival."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from ml_assets.domain.declared.event_log import EventLog, Marker, Settled, Watermark
from ml_assets.orchestration.arrival.sources import arrival_of
from tests.orchestration.conftest import event_log
from tests.support.postgres import Postgres, postgres_server

VARIABLE = "LOAD_STATUS_URL"


@dataclass
class Source:
    """A log whose loader says that it is complete: by markers, or in a database where there is one."""

    root: Path
    log: EventLog
    postgres: Postgres | None

    def folder(self, day: int) -> Path:
        return self.root / self.log.location / f"date=2026-05-{day:02}"

    def write(self, day: int, content: bytes) -> None:
        self.folder(day).mkdir(exist_ok=True)
        (self.folder(day) / "part-0.parquet").write_bytes(content)

    def complete(self, last: int) -> None:
        """All days up to this one are complete, whether they have events or not."""
        if self.postgres is not None:
            self.postgres.complete(self.log.key, f"2026-05-{last + 1:02} 00:00+00")
            return
        for day in range(1, last + 1):
            self.folder(day).mkdir(exist_ok=True)
            (self.folder(day) / "_complete").touch()

    def arrived(self, partitions: list[str] | None = None) -> Mapping[str, str]:
        return arrival_of(self.log, as_of=datetime(2100, 1, 1, tzinfo=UTC)).ask(self.root, self.log, partitions).arrived


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["marker", "watermark"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    log = event_log("shop/visits")
    (tmp_path / log.location).mkdir(parents=True)
    if request.param == "marker":
        return Source(tmp_path, replace(log, arrival=Marker("_complete")), None)
    server: Postgres = request.getfixturevalue("postgres")
    monkeypatch.setenv(VARIABLE, server.url)
    query = f"select complete_until from load_status where log = '{log.key}'"
    return Source(tmp_path, replace(log, arrival=Watermark(query, VARIABLE)), server)


def test_a_partition_arrives_when_its_loader_says_so_and_not_with_its_files(source: Source) -> None:
    source.complete(1)
    source.write(1, b"rows")
    source.write(2, b"rows")
    assert list(source.arrived()) == ["2026-05-01"]
    source.complete(2)
    assert list(source.arrived()) == ["2026-05-01", "2026-05-02"]


def test_a_day_without_events_arrives_as_an_empty_partition(source: Source) -> None:
    source.write(1, b"rows")
    source.complete(3)
    assert list(source.arrived()) == ["2026-05-01", "2026-05-02", "2026-05-03"]
    assert source.folder(2).exists() == (source.postgres is None)


def test_asked_for_some_partitions_it_answers_for_those_as_it_does_for_all(source: Source) -> None:
    for day in (1, 2, 3):
        source.write(day, b"rows")
    source.complete(3)
    found = source.arrived(["2026-05-02", "2026-05-09"])
    assert found == {"2026-05-02": source.arrived()["2026-05-02"]}


def test_files_that_are_written_again_get_a_new_fingerprint(source: Source) -> None:
    source.write(1, b"rows")
    source.complete(2)
    before = source.arrived()
    source.write(2, b"rows that came for a day without any")
    between = source.arrived()
    source.write(1, b"mended rows")
    after = source.arrived()
    assert between["2026-05-01"] == before["2026-05-01"]
    assert between["2026-05-02"] != before["2026-05-02"]
    assert after["2026-05-01"] != between["2026-05-01"]
    assert after["2026-05-02"] == between["2026-05-02"]


def test_a_log_without_a_folder_is_an_error_not_an_empty_log(source: Source) -> None:
    source.complete(3)
    (source.root / source.log.location).rename(source.root / "elsewhere")
    with pytest.raises(FileNotFoundError, match="shop/visits"):
        source.arrived()


def test_folders_that_are_no_partition_of_the_log_are_left_alone(source: Source) -> None:
    source.complete(1)
    for name in ("2026-04-30", "2026-05-20", "backup", "__HIVE_DEFAULT_PARTITION__"):
        folder = source.root / source.log.location / f"date={name}"
        folder.mkdir()
        (folder / "_complete").touch()
    assert list(source.arrived()) == ["2026-05-01"]


HOUR = timedelta(hours=1)
END = datetime(2026, 5, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Settling:
    """A log whose files settle for an hour, with a folder of 1 May."""

    root: Path
    log: EventLog

    @property
    def folder(self) -> Path:
        return self.root / self.log.location / "date=2026-05-01"

    def arrived(self, as_of: datetime) -> Mapping[str, str]:
        return arrival_of(self.log, as_of=as_of).ask(self.root, self.log).arrived


@pytest.fixture
def settling(tmp_path: Path) -> Settling:
    log = replace(event_log("shop/visits"), arrival=Settled(HOUR))
    made = Settling(tmp_path, log)
    made.folder.mkdir(parents=True)
    return made


def test_a_partition_has_settled_when_its_newest_file_has_been_there_long_enough(settling: Settling) -> None:
    (settling.folder / "part-0.parquet").touch()
    written = datetime.now(UTC)
    assert settling.arrived(written + 0.9 * HOUR) == {}
    assert settling.arrived(written + 1.1 * HOUR).keys() == {"2026-05-01"}


@pytest.mark.parametrize("how", ["moved", "copied with its times"])
def test_an_old_file_that_comes_now_has_not_settled(how: str, settling: Settling, tmp_path: Path) -> None:
    old = tmp_path / "part-0.parquet"
    old.touch()
    long_ago = (END - 100 * HOUR).timestamp()
    os.utime(old, (long_ago, long_ago))
    if how == "moved":
        old.rename(settling.folder / old.name)
    else:
        shutil.copy2(old, settling.folder / old.name)
    assert (settling.folder / old.name).stat().st_mtime == long_ago
    assert settling.arrived(datetime.now(UTC)) == {}


def test_a_partition_that_has_not_ended_has_not_settled(tmp_path: Path) -> None:
    days = replace(event_log("shop/visits").partitions, start=date(2100, 1, 1), end=None)
    log = replace(event_log("shop/visits"), arrival=Settled(HOUR), partitions=days)
    folder = tmp_path / log.location / "date=2100-01-01"
    folder.mkdir(parents=True)
    (folder / "part-0.parquet").touch()
    end = days.interval(0).end
    assert arrival_of(log, as_of=end - HOUR / 2).ask(tmp_path, log).arrived == {}
    assert arrival_of(log, as_of=end).ask(tmp_path, log).arrived.keys() == {"2100-01-01"}


def test_a_partition_without_files_never_settles(settling: Settling) -> None:
    (settling.folder / ".part-0.parquet.unfinished").touch()
    assert settling.arrived(datetime.now(UTC) + 1000 * HOUR) == {}


def test_a_settled_partition_that_is_written_again_has_a_new_fingerprint(settling: Settling) -> None:
    (settling.folder / "part-0.parquet").touch()
    later = datetime.now(UTC) + 2 * HOUR
    first = settling.arrived(later)
    (settling.folder / "part-0.parquet").write_bytes(b"rows")
    second = settling.arrived(later)
    assert first.keys() == second.keys() == {"2026-05-01"}
    assert first != second
