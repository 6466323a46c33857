"""Partitions of time: which instants a partition holds, and which partitions an interval needs.

All intervals are half-open, all instants are aware and in UTC: datetimes that share a time zone compare by
wall clock, which is wrong in the hour that clocks repeat.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError

Every = Literal["hour", "day", "week"]
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_DAYS = {"day": 1, "week": 7}
#: A date, or an instant, as people write them.
_INSTANT = re.compile(r"(\d{4})-?(\d\d?)-?(\d\d?)(?:[-T ](\d\d?)(?::?(\d\d)(?::?\d\d)?)? ?(Z|[+-]\d\d:?\d\d)?)?")
#: A week of ISO 8601, which begins on a Monday.
_WEEK = re.compile(r"\d{4}-?W\d\d")
#: Dates of partitions: with the longest window before or after them, all instants can be reckoned with.
_FIRST_DATE, LAST_DATE = date(1900, 1, 1), date(2200, 1, 1)
_NO_ZONE = re.compile(r"localtime$|Factory$|posixrules$|(posix|right)/")
#: Partitions of which the later are unions of the earlier, where their edges meet.
COARSENESS: dict[Every, int] = {"hour": 0, "day": 1, "week": 2}
#: What the folders of partitions are named after, as in `date=2026-01-01`.
FOLDER_COLUMNS: dict[Every, str] = {"hour": "hour", "day": "date", "week": "week"}
KEY_FORMATS: dict[str, str] = {"hour": "%Y-%m-%d-%H:%M%z", "day": "%Y-%m-%d", "week": "%Y-%m-%d"}


@dataclass(frozen=True)
class Interval:
    """The instants from `start` up to, not including, `end`."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"an interval needs aware datetimes, not {self.start} and {self.end}")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


@dataclass(frozen=True)
class Calendar:
    """Partitions of equal calendar length from `start` on; weeks begin on the weekday of `start`.

    `start` and `end` are local dates; `end` is the first date that has no partition any more.
    """

    every: Every
    start: date
    timezone: str
    end: date | None = None

    def __post_init__(self) -> None:
        if self.every not in KEY_FORMATS:
            raise SpecError("partitions.every", self.every, "one of hour, day, week")
        for key, day in (("start", self.start), ("end", self.end)):
            if day is not None and not _FIRST_DATE <= day <= LAST_DATE:
                raise SpecError(f"partitions.{key}", str(day), f"a date from {_FIRST_DATE} to {LAST_DATE}")
        try:
            # These lie beside the names: the machine's own zone, and copies, of which some count leap seconds.
            if _NO_ZONE.match(self.timezone):
                raise ValueError
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise SpecError("partitions.timezone", self.timezone, "an IANA name such as Asia/Tokyo or UTC") from None
        first_end = self.start + timedelta(days=_DAYS.get(self.every, 1))
        if self.end is not None and self.end < first_end:
            raise SpecError("partitions.end", str(self.end), f"{first_end} or later, so that there is a partition")
        if self.every == "hour" and not self._has_whole_hours():
            # Dagster contradicts itself there: hours listed as 02:30..03:30 have the window 03:00..04:00.
            raise SpecError("partitions.timezone", self.timezone, "for hours, one whose clocks change by whole hours")

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone in which days and weeks begin."""
        return ZoneInfo(self.timezone)

    @cached_property
    def origin(self) -> datetime:
        """The first instant of the first partition."""
        return self._midnight(self.start)

    @cached_property
    def finish(self) -> datetime | None:
        """The instant from which on there is no partition, or None when the calendar has no end."""
        return self._midnight(self.end) if self.end else None

    @cached_property
    def length(self) -> int | None:
        """How many partitions there are in all, or None when the calendar has no end."""
        if self.finish is None:
            return None
        last = self.index(self.finish - timedelta(microseconds=1))
        # A week that the end cuts short is no partition.
        return last + 1 if self.interval(last).end <= self.finish else last

    def interval(self, index: int) -> Interval:
        """The instants of the partition at `index` (0 is the first; before the start is negative)."""
        return Interval(self._edge(index), self._edge(index + 1))

    def index(self, instant: datetime) -> int:
        """The index of the partition that holds `instant`."""
        if self.every == "hour":
            return (instant - self.origin) // _HOUR
        known = self._positions.get(instant)
        if known is not None:
            return known
        # Right but for clock changes, which the edges tell.
        index = (instant - self.origin) // self._period
        while instant >= self._edge(index + 1):
            index += 1
        while instant < self._edge(index):
            index -= 1
        return index

    def key(self, index: int) -> str:
        """The partition key at `index`, as Dagster writes it."""
        key = self._keys.get(index)
        if key is None:
            if self.every == "hour":
                key = self._edge(index).astimezone(self.zone).strftime(KEY_FORMATS["hour"])
            else:
                key = (self.start + index * self._period).isoformat()
            self._keys[index], self._indices[key] = key, index
        return key

    def index_of(self, key: str) -> int:
        """The index of a partition key.

        Raises: ValueError when the key is not one of this calendar's, or lies outside of it; with what is meant.
        """
        index = self._position(key)
        if index is None:
            span = f"from {self.key(0)} on" + (f" and before {self.end}" if self.end else "")
            words = f"{key!r} is no partition of a calendar with one each {self.every} {span}"
            meant = [one for one in self.meant(key) if self.holds(one)]
            raise ValueError(f"{words}; did you mean {' or '.join(meant)}?" if meant else words)
        return index

    def holds(self, key: str) -> bool:
        """Whether a key is one of this calendar's partitions."""
        return self._position(key) is not None

    def _position(self, key: str) -> int | None:
        # Asked for again and again; reading an hour takes twenty microseconds, and a log has thousands.
        index = self._indices.get(key, -1)
        if index < 0:
            index = self._read(key)
        return None if index < 0 or (self.length is not None and index >= self.length) else index

    def meant(self, text: str) -> list[str]:
        """The keys of the partitions that hold the instant that a text names: two where clocks repeat the hour.

        They may lie before the start, or after the end.
        """
        text = text.strip()
        if _WEEK.fullmatch(text):
            with suppress(ValueError):
                text = date.fromisoformat(text).isoformat()
        match = _INSTANT.fullmatch(text)
        if match is None:
            return []
        year, month, day, hour, minute, offset = match.groups()
        try:
            local = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), tzinfo=self.zone)
            if offset:
                local = local.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo)
            return list(dict.fromkeys(self.key(self.index(local.replace(fold=fold))) for fold in (0, 1)))
        except (ValueError, OverflowError):
            return []

    def indices(self, interval: Interval) -> range:
        """The partitions that share at least one instant with `interval`, also before the start or after the end."""
        if interval.end <= interval.start:
            return range(0)
        last = self.index(interval.end)
        return range(self.index(interval.start), last if self._edge(last) == interval.end else last + 1)

    def complete_before(self, instant: datetime) -> range:
        """The partitions that have ended at `instant`."""
        ended = max(0, self.index(instant))
        return range(ended if self.length is None else min(ended, self.length))

    @property
    def shape(self) -> tuple[object, ...]:
        """What decides which instants a key stands for; a calendar may begin earlier without changing any."""
        return self.every, self.timezone, self.start.weekday() if self.every == "week" else None

    def divides(self, window: Duration) -> bool:
        """Whether a window is a whole number of partitions."""
        if window.count == 0:
            return True
        if self.every == "hour":
            return window.elapsed % _HOUR == timedelta(0)
        return window.unit in ("d", "w") and window.elapsed % self._period == timedelta(0)

    def shift(self, instant: datetime, window: Duration, sign: int) -> datetime:
        """Move an instant by a calendar period: days and weeks by the wall clock, hours by elapsed time.

        Days begin where days begin, also where a clock skips midnight.
        """
        if window.unit in ("m", "h") or window.count == 0:
            return instant + sign * window.elapsed
        if self.every != "hour":
            index = self.index(instant)
            periods, rest = divmod(window.elapsed, self._period)
            if not rest and instant == self._edge(index):
                return self._edge(index + sign * periods)
        moved = instant.astimezone(self.zone).replace(tzinfo=None) + sign * window.elapsed
        return moved.replace(tzinfo=self.zone).astimezone(UTC)

    def _read(self, key: str) -> int:
        """The index of a key as this calendar writes it, or -1."""
        try:
            if self.every == "hour":
                index = self.index(datetime.strptime(key, KEY_FORMATS["hour"]).astimezone(UTC))
            else:
                index = (date.fromisoformat(key) - self.start) // self._period
        except (ValueError, OverflowError):
            return -1
        return index if self.key(index) == key else -1

    @cached_property
    def _keys(self) -> dict[int, str]:
        return _found(self).keys

    @cached_property
    def _indices(self) -> dict[str, int]:
        return _found(self).indices

    def _has_whole_hours(self) -> bool:
        """Whether no clock change of the ten years from the start on moves where hours begin."""
        days = (self.start + timedelta(days=days) for days in range(0, 3660, 30))
        return len({datetime.combine(day, time(), UTC).astimezone(self.zone).minute for day in days}) == 1

    def _edge(self, index: int) -> datetime:
        if self.every == "hour":
            return self.origin + index * _HOUR
        # Asked for again and again by each window.
        edge = self._edges.get(index)
        if edge is None:
            edge = self._edges[index] = self._midnight(self.start + index * self._period)
            self._positions[edge] = index
        return edge

    @cached_property
    def _period(self) -> timedelta:
        return _DAYS[self.every] * _DAY

    @cached_property
    def _edges(self) -> dict[int, datetime]:
        return _found(self).edges

    @cached_property
    def _positions(self) -> dict[datetime, int]:
        return _found(self).positions

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


@dataclass(frozen=True)
class _Found:
    """What was reckoned so far: edges and keys by index, and the index of each."""

    edges: dict[int, datetime] = field(default_factory=dict)
    positions: dict[datetime, int] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    indices: dict[str, int] = field(default_factory=dict)


@lru_cache(maxsize=64)
def _found(calendar: Calendar) -> _Found:  # noqa: ARG001
    """One for all equal calendars."""
    return _Found()


def contiguous(indices: Iterator[int] | list[int]) -> list[range]:
    """Group sorted indices into runs without a hole."""
    runs: list[range] = []
    for index in indices:
        if runs and runs[-1].stop == index:
            runs[-1] = range(runs[-1].start, index + 1)
        else:
            runs.append(range(index, index + 1))
    return runs
