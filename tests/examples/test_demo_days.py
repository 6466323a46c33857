"""The demo's days: recent in a home that is new, the old ones in a home that is not, and the same rows on both."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pandas as pd
import pytest
from click.testing import CliRunner
from dagster._core.definitions.partitions.context import PartitionLoadingContext, TemporalContext
from hypothesis import given
from hypothesis import strategies as st

from ml_assets.cli.main import main
from ml_assets.data.artifacts.content import hash_frame
from ml_assets.declarations.of_project import event_logs
from ml_assets.definitions import build_definitions
from ml_assets.demo_services import CHECKOUT
from ml_assets.domain.calendar import Calendar
from ml_assets.examples import advertising, fashion, grocery
from ml_assets.examples.demo_days import DAYS, FILE, NEW_YORK, DemoDays
from ml_assets.project.faults import EXIT_CODE
from ml_assets.project.project import Project

WEEK, DAY = timedelta(weeks=1), timedelta(days=1)
TOKYO = "Asia/Tokyo"
#: What older homes have, by event log: first day, first day after the last, time zone.
OLD = {
    "ads/impressions": ("2025-12-12", "2026-01-22", TOKYO),
    "ads/conversions": ("2025-12-12", "2026-01-22", TOKYO),
    "fashion/recommendations": ("2026-01-01", "2026-01-22", TOKYO),
    "fashion/clicks": ("2026-01-01", "2026-01-22", TOKYO),
    "grocery/baskets": ("2017-02-01", "2017-03-19", NEW_YORK),
}
# One with summer time in New York, one without, and one on the day of its change.
ANCHORS = [date(2026, 7, 1), date(2027, 1, 5), date(2028, 3, 13)]
SLICES: dict[str, tuple[Callable[..., None], date]] = {
    "ads": (partial(advertising.write_logs, impressions_per_day=200), date(2026, 1, 10)),
    "fashion": (partial(fashion.write_logs, pages_per_day=200), date(2026, 1, 8)),
    "grocery": (grocery.write_logs, date(2017, 3, 9)),
}
instants = st.datetimes(datetime(2018, 1, 1), datetime(2060, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))


def home_with(anchor: date, folder: Path) -> Path:
    (folder / FILE).write_text(f"{anchor}\n", encoding="utf-8")
    return folder


def declared(calendar: Calendar) -> tuple[str, str, str]:
    return calendar.start.isoformat(), str(calendar.end), calendar.timezone


@given(now=instants)
def test_the_newest_day_of_a_new_home_has_ended_and_is_at_most_a_week_old(now: datetime) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = DemoDays.settle(Path(folder), Path(folder) / "events", now=now)
    zones = {"ads": TOKYO, "fashion": TOKYO, "grocery": found.grocery_timezone}
    for service, (_, last) in DAYS.items():
        shift = found.shift(service)
        assert shift % WEEK == timedelta(0)
        ended = datetime.combine(last + shift + DAY, time(), ZoneInfo(zones[service]))
        # The day of New York begins half a day after that of Tokyo.
        assert timedelta(0) <= now - ended < WEEK + DAY


@given(anchor=st.dates(date(2018, 1, 1), date(2060, 1, 1)))
def test_no_clock_changes_within_the_days_of_a_home(anchor: date) -> None:
    moved = DemoDays(anchor)
    for service, zone in (("ads", TOKYO), ("grocery", moved.grocery_timezone)):
        days = [first for key, (first, _, _) in OLD.items() if key.startswith(service)]
        start = date.fromisoformat(moved.day(service, days[0]))
        midnights = [datetime.combine(start + number * DAY, time(), ZoneInfo(zone)) for number in range(60)]
        assert len({midnight.utcoffset() for midnight in midnights}) == 1


def test_a_home_keeps_its_anchor(tmp_path: Path) -> None:
    events = tmp_path / "events"
    first = DemoDays.settle(tmp_path, events, now=datetime(2026, 5, 1, 4, 59, tzinfo=UTC))
    # It is still the day before where days begin last.
    assert first == DemoDays(date(2026, 4, 30))
    assert DemoDays.settle(tmp_path, events, now=datetime(2027, 5, 1, tzinfo=UTC)) == first == DemoDays.of(tmp_path)


def test_an_empty_anchor_is_none_and_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("\n", encoding="utf-8")
    assert DemoDays.of(tmp_path) == DemoDays()
    found = DemoDays.settle(tmp_path, tmp_path / "events", now=datetime(2026, 5, 1, 12, tzinfo=UTC))
    assert found == DemoDays(date(2026, 5, 1)) == DemoDays.of(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("links", [True, False])
def test_an_anchor_is_seen_whole_and_that_of_the_first_of_two_demos_stays(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, seen = os.link, []

    def look_then_link(source: Path, target: Path) -> None:
        seen.append(DemoDays.of(tmp_path))
        if not links:
            raise PermissionError
        with suppress(FileExistsError):
            # The other demo.
            (tmp_path / "first").write_text("2026-04-01", encoding="utf-8")
            link(tmp_path / "first", target)
        link(source, target)

    monkeypatch.setattr(os, "link", look_then_link)
    found = DemoDays.settle(tmp_path, tmp_path / "events", now=datetime(2026, 5, 1, 12, tzinfo=UTC))
    assert seen == [DemoDays()]
    assert found == DemoDays(date(2026, 4, 1) if links else date(2026, 5, 1))
    assert {path.name for path in tmp_path.iterdir()} == {FILE, "first"} if links else {FILE}


@pytest.mark.parametrize("log", ["ads/impressions", "fashion/clicks", "grocery/baskets"])
def test_a_home_with_events_and_no_anchor_keeps_the_old_days(tmp_path: Path, log: str) -> None:
    (tmp_path / "events" / log / "date=2026-01-01").mkdir(parents=True)
    assert DemoDays.settle(tmp_path, tmp_path / "events", now=datetime.now(UTC)) == DemoDays()
    assert not (tmp_path / FILE).exists()


def test_events_of_other_services_and_folders_without_events_leave_a_home_new(tmp_path: Path) -> None:
    for folder in ("shop/visits/date=2026-01-01", "ads/impressions"):
        (tmp_path / "events" / folder).mkdir(parents=True)
    assert DemoDays.settle(tmp_path, tmp_path / "events", now=datetime.now(UTC)).anchor is not None


def test_without_an_anchor_the_declarations_are_the_old_ones(tmp_path: Path) -> None:
    assert {key: declared(log.partitions) for key, log in Project(tmp_path).logs.items()} == OLD


@pytest.mark.parametrize("anchor", ANCHORS, ids=str)
def test_an_anchor_moves_what_is_declared_and_all_that_exists_is_within_the_reach_of_plots(
    tmp_path: Path, anchor: date
) -> None:
    project, moved = Project(home_with(anchor, tmp_path)), DemoDays(anchor)
    for key, log in project.logs.items():
        service, (start, end, zone) = key.split("/")[0], OLD[key]
        zone = moved.grocery_timezone if service == "grocery" else zone
        assert declared(log.partitions) == (moved.day(service, start), moved.day(service, end), zone)
    graph = build_definitions(project.tree).resolve_asset_graph()
    now = datetime.combine(anchor, time(5), UTC)
    for model in project.models.values():
        last = DAYS[model.service][1] + moved.shift(model.service)
        for asset in model.assets:
            partitions = graph.get(dg.AssetKey(asset.split("/"))).partitions_def
            assert isinstance(partitions, dg.TimeWindowPartitionsDefinition)
            context = PartitionLoadingContext(
                temporal_context=TemporalContext(effective_dt=now, last_event_id=None), dynamic_partitions_store=None
            )
            # As the UI asks for what it plots.
            plotted = partitions.get_paginated_partition_keys(context, limit=120, ascending=False).results
            assert model.partitions.key(model.first_index) in plotted
            assert last.isoformat() in plotted


def test_declarations_are_read_for_the_home_of_the_project_else_for_that_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(home_with(ANCHORS[0], tmp_path)))
    tree = dg.ComponentTree.for_project(CHECKOUT)
    start = DemoDays(ANCHORS[0]).day("ads", OLD["ads/impressions"][0])
    assert event_logs(tree)["ads/impressions"].partitions.start.isoformat() == start
    assert declared(Project(tmp_path / "other").logs["ads/impressions"].partitions) == OLD["ads/impressions"]


def test_an_anchor_that_is_no_date_is_refused_by_its_file(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("yesterday", encoding="utf-8")
    result = CliRunner().invoke(main, ["debt", "--home", str(tmp_path)])
    assert result.exit_code == EXIT_CODE
    assert result.output == (
        f"Error: {tmp_path / FILE}: 'yesterday' is not accepted; "
        "the date at which the home's demo was made, such as 2026-01-14\n"
    )


@pytest.mark.parametrize("service", SLICES)
def test_rows_are_the_same_on_all_days_but_for_their_instants(
    service: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    write, day = SLICES[service]
    if service == "grocery":
        request.getfixturevalue("grocery_folder")
    homes = {"old": DemoDays(), "new": DemoDays(ANCHORS[0])}
    for name, days in homes.items():
        zone = {"timezone": days.grocery_timezone} if service == "grocery" else {}
        write(tmp_path / name, first_day=day, last_day=day + DAY, shift=days.shift(service), **zone)
    written = sorted(path.relative_to(tmp_path / "old") for path in (tmp_path / "old").rglob("*.parquet"))
    assert len(written) == (2 if service == "grocery" else 4)
    for path in written:
        log, old_day = path.parts[:2], path.parts[2].removeprefix("date=")
        moved = Path(*log, f"date={homes['new'].day(service, old_day)}", path.name)
        old, new = (
            pd.read_parquet(tmp_path / name / one, partitioning=None) for name, one in (("old", path), ("new", moved))
        )
        times = list(old.select_dtypes("datetimetz"))
        assert times
        assert len(old)
        shifted = old.assign(**{name: old[name] + homes["new"].shift(service) for name in times})
        assert hash_frame(new) == hash_frame(shifted)


def test_equal_anchors_give_equal_data_versions(tmp_path: Path) -> None:
    day = date(2026, 1, 8)
    for name in ("one", "other"):
        for write, service in ((SLICES["ads"][0], "ads"), (SLICES["fashion"][0], "fashion")):
            write(tmp_path / name, first_day=day, last_day=day, shift=DemoDays(ANCHORS[1]).shift(service))
    one, other = (
        {
            path.relative_to(tmp_path / name): hash_frame(pd.read_parquet(path))
            for path in (tmp_path / name).rglob("*.parquet")
        }
        for name in ("one", "other")
    )
    assert len(one) == 4
    assert one == other
