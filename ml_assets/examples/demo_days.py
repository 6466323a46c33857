"""On which days the demo's events lie: one anchor for each home moves them, by whole weeks, so that they are recent.

The anchor is a date: the day on which the demo first made events in a home, where days begin last (`Etc/GMT+5`, the
westernmost time zone of the demo). It is written into the home once, as the file `demo_anchor`, and stays. Each
service's events are simulated, or read, on the days in `DAYS`, which do not depend on it; then each instant is moved by
so many weeks that the last of these days lies before the anchor, by seven days at most. So rows, labels, features of
hour and weekday, and metrics are the same for all anchors; data versions, which cover instants, for equal ones.

A home without an anchor has the days in `DAYS` as they are: one with events of before there were anchors, a pod's, a
test's. Writing the file before the first demo pins the days; 2026-01-14 leaves `ads` and `fashion` where they are.

The file is of the home, not of the events: of two homes that share a storage (`ML_ASSETS_STORAGE`), the one without
it keeps the days of `DAYS`, and sees none of what the other's demo wrote; copy the file there.

New York's clocks change on days of their own in each year, and an anchor can lie in any season. So in a home with an
anchor grocery's time zone is the winter time that New York has on all days of `DAYS`, and no hour is cut elsewhere.
Without an anchor it stays New York: a time zone belongs to what makes a partition, and another would outdate all.

The demo's logs alone are declared by this module. Light: the code location imports it.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import dagster as dg

from ml_assets import variables
from ml_assets.domain.errors import SpecError
from ml_assets.paths import AnyPath

#: First and last day of events by service, as they are simulated or read.
DAYS = {
    "ads": (date(2025, 12, 12), date(2026, 1, 13)),
    "fashion": (date(2026, 1, 1), date(2026, 1, 9)),
    "grocery": (date(2017, 2, 1), date(2017, 3, 10)),
}
FILE = "demo_anchor"
NEW_YORK = "America/New_York"
NEW_YORK_WINTER = "Etc/GMT+5"

_WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class DemoDays:
    """Where the demo's days lie; None: where they are simulated or read."""

    anchor: date | None = None

    @classmethod
    def of(cls, home: Path) -> "DemoDays":
        """Those of a home.

        Raises: SpecError when its anchor is no date.
        """
        file = home / FILE
        text = _read(file)
        if not text:
            return cls()
        try:
            return cls(date.fromisoformat(text))
        except ValueError:
            raise SpecError(str(file), text, "the date at which the home's demo was made, such as 2026-01-14") from None

    @classmethod
    def settle(cls, home: Path, events_root: AnyPath, *, now: datetime) -> "DemoDays":
        """Those of a home that the demo works in: one without an anchor and without demo events gets its anchor now."""
        if is_new(home, events_root):
            anchor = now.astimezone(ZoneInfo(NEW_YORK_WINTER)).date()
            _write_once(home / FILE, f"{anchor}\n")
        return cls.of(home)

    def shift(self, service: str) -> timedelta:
        """How far the instants of a service are moved, in whole weeks."""
        if self.anchor is None:
            return timedelta(0)
        _, last = DAYS[service]
        return (self.anchor - timedelta(days=1) - last) // _WEEK * _WEEK

    def day(self, service: str, day: str) -> str:
        """The day that a day of a service is moved to."""
        return (date.fromisoformat(day) + self.shift(service)).isoformat()

    @property
    def grocery_timezone(self) -> str:
        """The time zone of grocery's days."""
        return NEW_YORK if self.anchor is None else NEW_YORK_WINTER


def is_new(home: Path, events_root: AnyPath) -> bool:
    """Whether a home has neither an anchor nor events of the demo."""
    return not _read(home / FILE) and not any(_has_events(events_root / service) for service in DAYS)


@dg.template_var
def demo_day() -> Callable[[str, str], str]:
    """Tells where a day of a service, such as `'ads', '2026-01-01'`, lies in the home at hand."""
    return _at_hand().day


@dg.template_var
def grocery_timezone() -> str:
    """The time zone of grocery's days in the home at hand."""
    return _at_hand().grocery_timezone


def _at_hand() -> DemoDays:
    home = variables.get(variables.HOME)
    return DemoDays.of(Path(home)) if home else DemoDays()


def _has_events(service: AnyPath) -> bool:
    return any(True for _ in service.glob("*/date=*"))


def _read(file: Path) -> str:
    """The text of an anchor; empty where there is none, or a file that was begun and not written."""
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""


def _write_once(file: Path, text: str) -> None:
    """Write a file as a whole. Of several who do so at once, the first one's stays."""
    whole = file.with_name(f"{file.name}.{uuid4().hex}")
    try:
        whole.write_text(text, encoding="utf-8")
    except OSError:
        # A disk that is full has made the file.
        whole.unlink(missing_ok=True)
        raise
    try:
        os.link(whole, file)
    except FileExistsError:
        if not _read(file):
            whole.replace(file)
    except OSError:
        # Of a file system without links.
        whole.replace(file)
    finally:
        whole.unlink(missing_ok=True)
