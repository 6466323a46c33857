"""Partitions of time, and that Dagster sees the same ones."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ml_assets.domain.calendar import Calendar, Interval, contiguous
from ml_assets.domain.durations import parse_duration
from ml_assets.domain.errors import SpecError
from ml_assets.orchestration.partitions import partitions_definition

MakeCalendar = Callable[..., Calendar]
# Among them: clocks that skip midnight (a day begins at 01:00), show it twice, or change by half an hour or two hours;
# offsets of 30 and 45 minutes.
ZONES = [
    *("UTC", "Asia/Tokyo", "Asia/Kathmandu", "Asia/Beirut", "Europe/Berlin", "Africa/Cairo", "Africa/Casablanca"),
    *("America/New_York", "America/St_Johns", "America/Sao_Paulo", "America/Havana"),
    *("Australia/Lord_Howe", "Pacific/Apia", "Antarctica/Troll"),
]
WHOLE_HOURS = [zone for zone in ZONES if zone != "Australia/Lord_Howe"]
SPAN = {"hour": 4, "day": 70, "week": 420}
IN_2040 = datetime(2040, 1, 1, tzinfo=UTC)


def _changes(zone: str) -> list[date]:
    """The local dates from 2015 to 2026 on which the clocks of a zone changed."""
    noons = [datetime(2015, 1, 1, 12, tzinfo=UTC) + timedelta(days=day) for day in range(12 * 365)]
    offsets = [noon.astimezone(ZoneInfo(zone)).utcoffset() for noon in noons]
    return [noons[n].date() for n in range(1, len(noons)) if offsets[n] != offsets[n - 1]]


CHANGES = {zone: _changes(zone) for zone in ZONES}


@st.composite
def calendars(draw: st.DrawFn, *, every: str | None = None) -> Calendar:
    """Calendars that hold a few dozen partitions, half of them near a change of the clocks."""
    every = every or draw(st.sampled_from(["hour", "day", "week"]))
    zone = draw(st.sampled_from(WHOLE_HOURS if every == "hour" else ZONES))
    start = draw(st.dates(date(2015, 1, 1), date(2026, 12, 31)))
    near_change: bool = draw(st.booleans())
    if CHANGES[zone] and near_change:
        start = draw(st.sampled_from(CHANGES[zone])) - timedelta(days=draw(st.integers(-1, SPAN[every] - 1)))
    days = draw(st.integers(7 if every == "week" else 1, SPAN[every]))
    return Calendar(every, start, zone, start + timedelta(days=days))  # type: ignore[arg-type]


def _length(calendar: Calendar) -> int:
    assert calendar.length is not None
    return calendar.length


def _same(window: dg.TimeWindow, interval: Interval) -> bool:
    # Datetimes that share a zone compare by wall clock, so compare instants.
    return (window.start.timestamp(), window.end.timestamp()) == (interval.start.timestamp(), interval.end.timestamp())


@given(calendars())
@example(Calendar("day", date(2018, 11, 1), "America/Sao_Paulo", date(2018, 11, 10)))
@example(Calendar("day", date(2018, 11, 4), "America/Sao_Paulo", date(2018, 11, 10)))
@example(Calendar("hour", date(2017, 11, 5), "America/Havana", date(2017, 11, 6)))
@example(Calendar("week", date(2016, 3, 13), "America/New_York", date(2016, 4, 9)))
@example(Calendar("day", date(2010, 11, 4), "America/St_Johns", date(2010, 11, 10)))
@example(Calendar("day", date(1919, 3, 29), "America/Toronto", date(1919, 4, 3)))
@settings(max_examples=150)
def test_dagster_has_the_same_partitions_with_the_same_windows(calendar: Calendar) -> None:
    definition = partitions_definition(calendar)
    keys = definition.get_partition_keys(current_time=IN_2040)
    assert keys == [calendar.key(index) for index in range(_length(calendar))]
    for index, key in enumerate(keys):
        assert _same(definition.time_window_for_partition_key(key), calendar.interval(index))


@given(calendars(), st.data())
@settings(max_examples=60)
def test_dagster_lists_the_same_partitions_as_complete_at_any_instant(calendar: Calendar, data: st.DataObject) -> None:
    instant = _instant(calendar, data)
    # A model's partitions may begin later, a log's are listed ahead.
    later = st.tuples(st.integers(0, _length(calendar) - 1), st.just(0))
    first, ahead = data.draw(st.one_of(later, st.tuples(st.just(0), st.integers(1, 3))))
    endless = Calendar(calendar.every, calendar.start, calendar.timezone)
    complete = len(endless.complete_before(instant))
    listed = partitions_definition(endless, first_index=first, partitions_ahead=ahead)
    expected = range(first, complete + ahead)
    assert listed.get_partition_keys(current_time=instant) == [endless.key(index) for index in expected]


def _instant(calendar: Calendar, data: st.DataObject) -> datetime:
    """An instant inside of the calendar, often the first or the last of a partition."""
    partition = calendar.interval(data.draw(st.integers(0, _length(calendar) - 1)))
    inside = st.integers(0, (partition.end - partition.start) // timedelta(minutes=1) - 1)
    minutes = data.draw(st.one_of(st.just(0), inside))
    last = partition.end - timedelta(microseconds=1)
    return last if data.draw(st.booleans()) else partition.start + timedelta(minutes=minutes)


@given(calendars())
@settings(max_examples=100)
def test_partitions_tile_time_without_hole_or_overlap_also_outside_of_the_calendar(calendar: Calendar) -> None:
    intervals = [calendar.interval(index) for index in range(-3, _length(calendar) + 3)]
    assert all(interval.start < interval.end for interval in intervals)
    assert all(one.end == other.start for one, other in pairwise(intervals))
    assert calendar.interval(0).start == calendar.origin


@given(calendars())
# At 00:01 the clocks went back to 23:01 of the day before; at 23:30 they went forward, past midnight.
@example(Calendar("day", date(2010, 11, 4), "America/St_Johns", date(2010, 11, 10)))
@example(Calendar("day", date(1919, 3, 29), "America/Toronto", date(1919, 4, 3)))
@settings(max_examples=100)
def test_an_index_its_key_and_the_instants_it_holds_lead_back_to_it(calendar: Calendar) -> None:
    for index in range(_length(calendar)):
        interval = calendar.interval(index)
        assert calendar.index_of(calendar.key(index)) == index
        half_hour, moment = timedelta(minutes=30), timedelta(microseconds=1)
        near = [interval.start, interval.start + half_hour, interval.end - half_hour, interval.end - moment]
        assert {calendar.index(instant) for instant in near} == {index}
        assert calendar.index(interval.start.astimezone(calendar.zone)) == index


@given(calendars(), st.data())
@settings(max_examples=100)
def test_an_interval_needs_exactly_the_partitions_that_share_an_instant_with_it(
    calendar: Calendar, data: st.DataObject
) -> None:
    start, end = sorted([_instant(calendar, data), _instant(calendar, data)])
    partitions = {index: calendar.interval(index) for index in range(-1, _length(calendar) + 1)}
    overlapping = [index for index, part in partitions.items() if max(start, part.start) < min(end, part.end)]
    assert list(calendar.indices(Interval(start, end))) == overlapping


@given(calendars(), st.data())
@settings(max_examples=100)
def test_a_window_of_whole_partitions_leads_from_edge_to_edge(calendar: Calendar, data: st.DataObject) -> None:
    unit = {"hour": "h", "day": "d", "week": "w"}[calendar.every]
    index, count = data.draw(st.integers(0, _length(calendar))), data.draw(st.integers(0, 40))
    window, edge = parse_duration(f"{count}{unit}", key="window", zero=True), calendar.interval(index).start
    assert calendar.shift(edge, window, +1) == calendar.interval(index + count).start
    assert calendar.shift(edge, window, -1) == calendar.interval(index - count).start


@given(calendars(every="hour"), st.data())
@settings(max_examples=60)
def test_a_window_of_days_leads_an_hour_to_the_same_time_of_day(calendar: Calendar, data: st.DataObject) -> None:
    days = data.draw(st.integers(0, 30))
    instant = calendar.interval(data.draw(st.integers(0, _length(calendar)))).start
    shifted = calendar.shift(instant, parse_duration(f"{days}d", key="window", zero=True), -1)
    before, after = (moment.astimezone(calendar.zone) for moment in (shifted, instant))
    assert calendar.interval(calendar.index(shifted)).start == shifted
    assert (after.date() - before.date()).days == days
    skipped = datetime.combine(before.date(), after.time(), calendar.zone).astimezone(UTC).astimezone(calendar.zone)
    assert before.time() == after.time() or before == skipped


@pytest.mark.parametrize("instant", [datetime(2017, 11, 5, 5, tzinfo=UTC), datetime(2017, 11, 5, 6, tzinfo=UTC)])
def test_no_gap_moves_nothing_also_in_the_hour_that_clocks_repeat(
    make_calendar: MakeCalendar, instant: datetime
) -> None:
    hours = make_calendar("hour", "2017-11-01", "America/New_York")
    assert hours.shift(instant, parse_duration("0d", key="gap", zero=True), -1) == instant


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2017-03-12", 23),
        ("America/New_York", "2017-11-05", 25),
        ("Australia/Lord_Howe", "2017-10-01", 23.5),
        ("America/Sao_Paulo", "2018-11-04", 23),
        ("Asia/Tokyo", "2017-03-12", 24),
    ],
)
def test_a_day_has_as_many_hours_as_its_clock_shows(
    make_calendar: MakeCalendar, zone: str, day: str, hours: float
) -> None:
    days = make_calendar("day", "2017-01-01", zone)
    interval = days.interval(days.index_of(day))
    assert interval.end - interval.start == timedelta(hours=hours)


def test_hours_that_clocks_repeat_have_different_keys(make_calendar: MakeCalendar) -> None:
    hours = make_calendar("hour", "2017-11-05", "America/New_York")
    assert [hours.key(index) for index in range(1, 3)] == ["2017-11-05-01:00-0400", "2017-11-05-01:00-0500"]


@pytest.mark.parametrize(
    ("every", "end", "length", "complete"),
    [
        ("hour", "2026-01-02", 24, 24),
        ("day", "2026-01-31", 30, 19),
        ("week", "2026-01-08", 1, 1),
        ("week", "2026-01-14", 1, 1),
        ("week", "2026-01-15", 2, 2),
        ("day", None, None, 19),
    ],
)
def test_the_end_is_the_first_date_without_a_partition_and_cuts_no_week_short(
    make_calendar: MakeCalendar, every: str, end: str | None, length: int | None, complete: int
) -> None:
    calendar = make_calendar(every, end=end)
    assert calendar.length == length
    assert calendar.complete_before(datetime(2026, 1, 20, tzinfo=UTC)) == range(complete)


@pytest.mark.parametrize(
    ("instant", "complete"),
    [("2025-06-01T00:00", 0), ("2026-01-01T23:59", 0), ("2026-01-02T00:00", 1), ("2026-01-09T12:00", 8)],
)
def test_a_partition_is_complete_from_its_last_instant_on(
    make_calendar: MakeCalendar, instant: str, complete: int
) -> None:
    assert make_calendar().complete_before(datetime.fromisoformat(f"{instant}+00:00")) == range(complete)


@pytest.mark.parametrize("key", ["2026-01-07", "2025-12-25", "2026-02-05", "2026-01-08-00:00+0000", "soon", ""])
def test_a_key_that_is_none_of_the_calendar_is_refused_with_its_span(make_calendar: MakeCalendar, key: str) -> None:
    calendar = make_calendar("week", end="2026-02-05")
    with pytest.raises(ValueError, match="one each week from 2026-01-01 on and before 2026-02-05"):
        calendar.index_of(key)


@pytest.mark.parametrize(
    ("fields", "key", "expected"),
    [
        (("month",), "partitions.every", "one of hour, day, week"),
        (("day", "2026-01-01", "Asia/Tokio"), "partitions.timezone", "an IANA name such as Asia/Tokyo or UTC"),
        (("day", "2026-01-01", "../UTC"), "partitions.timezone", "an IANA name"),
        (("hour", "2026-01-01", "Australia/Lord_Howe"), "partitions.timezone", "clocks change by whole hours"),
        (("day", "2026-01-01", "UTC", "2026-01-01"), "partitions.end", "2026-01-02 or later"),
        (("week", "2026-01-01", "UTC", "2026-01-07"), "partitions.end", "2026-01-08 or later"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(
    make_calendar: MakeCalendar, fields: tuple[str, ...], key: str, expected: str
) -> None:
    with pytest.raises(SpecError) as refusal:
        make_calendar(*fields)
    assert refusal.value.key == key
    assert expected in refusal.value.expected


def test_an_interval_is_half_open_and_needs_aware_datetimes() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    assert start in Interval(start, end)
    assert end not in Interval(start, end)
    with pytest.raises(ValueError, match="aware datetimes"):
        Interval(start, end.replace(tzinfo=None))


@given(st.sets(st.integers(-30, 30)))
def test_runs_without_a_hole_hold_each_index_once_and_do_not_touch(indices: set[int]) -> None:
    runs = contiguous(sorted(indices))
    assert [index for run in runs for index in run] == sorted(indices)
    assert all(one.stop < other.start for one, other in pairwise(runs))


@pytest.mark.parametrize(
    ("every", "text", "meant"),
    [
        ("hour", "2017-11-08-05:00", "2017-11-08-05:00-0500"),
        ("hour", "2017-11-08T05:30", "2017-11-08-05:00-0500"),
        ("hour", "2017-11-08", "2017-11-08-00:00-0500"),
        ("hour", "2017-11-08-10:00Z", "2017-11-08-05:00-0500"),
        ("hour", "2017-11-05-01:00", "2017-11-05-01:00-0400 or 2017-11-05-01:00-0500"),
        ("day", "2017-11-8", "2017-11-08"),
        ("day", "2017-11-08-05:00-0500", "2017-11-08"),
        ("week", "2017-11-09", "2017-11-08"),
    ],
)
def test_a_key_that_is_none_is_answered_with_the_one_that_is_meant(
    make_calendar: MakeCalendar, every: str, text: str, meant: str
) -> None:
    calendar = make_calendar(every, "2017-11-01", "America/New_York")
    with pytest.raises(ValueError, match=re.escape(f"; did you mean {meant}?") + "$"):
        calendar.index_of(text)
    assert not calendar.holds(text)


@pytest.mark.parametrize("text", ["soon", "", "2017-13-01", "2017-10-31", "2017-11-08-25:00", "9999-12-31-23:00-2359"])
def test_nothing_is_meant_by_what_no_partition_holds(make_calendar: MakeCalendar, text: str) -> None:
    with pytest.raises(ValueError, match="from 2017-11-01-00:00-0400 on$"):
        make_calendar("hour", "2017-11-01", "America/New_York").index_of(text)


@pytest.mark.parametrize("start", ["0001-01-01", "1899-12-31", "2200-01-02", "9999-12-31"])
def test_a_date_that_instants_cannot_be_reckoned_with_is_refused(make_calendar: MakeCalendar, start: str) -> None:
    with pytest.raises(
        SpecError, match=rf"^partitions.start: '{start}' is not accepted; a date from 1900-01-01 to 2200"
    ):
        make_calendar(start=start)
