"""Partitions and windows reckoned by the wall clock, without asking the domain."""

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.durations import Duration


@cache
def edge(calendar: Calendar, index: int) -> datetime:
    """The first instant of a partition."""
    if calendar.every == "hour":
        return edge(Calendar("day", calendar.start, calendar.timezone), 0) + index * timedelta(hours=1)
    day = calendar.start + timedelta(days=index * {"day": 1, "week": 7}[calendar.every])
    return datetime.combine(day, time(), ZoneInfo(calendar.timezone)).astimezone(UTC)


@cache
def moved(instant: datetime, window: Duration, zone: ZoneInfo, *, back: bool = False) -> datetime:
    """An instant moved by days of the wall clock, or by elapsed hours."""
    by = -window.elapsed if back else window.elapsed
    if window.unit == "h" or not by:
        return instant + by
    wall = instant.astimezone(zone)
    if instant == datetime.combine(wall.date(), time(), zone).astimezone(UTC):
        # Where clocks skip midnight, a day begins at one.
        return datetime.combine(wall.date() + by, time(), zone).astimezone(UTC)
    return (wall.replace(tzinfo=None) + by).replace(tzinfo=zone).astimezone(UTC)


@cache
def overlapping(calendar: Calendar, start: datetime, end: datetime) -> frozenset[int]:
    """The partitions, before the calendar's start too, that share an instant with [start, end)."""
    found, index = set(), -1
    while edge(calendar, index) > start:
        index -= 1
    while edge(calendar, index) < end:
        if edge(calendar, index + 1) > start:
            found.add(index)
        index += 1
    return frozenset(found)
