"""Logs that arrive by a watermark, partitions that are complete by one, and what a test reads off a tick."""

import traceback
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import EventLog, Watermark
from ml_assets.orchestration.arrival.sources import SourceError, arrival_of
from ml_assets.orchestration.recorded.facts import asset_key
from tests.orchestration.conftest import Service, event_log
from tests.support.postgres import PASSWORD

FAR = datetime(2100, 1, 1, tzinfo=UTC)
VARIABLE = "LOAD_STATUS_URL"
VISITS, ORDERS = "shop/visits", "shop/orders"
SECRET = "hunter2-and-more"


def watermarked(log: EventLog, query: str = "select complete_until from load_status where log = '{log}'") -> EventLog:
    return replace(log, arrival=Watermark(query.format(log=log.key), VARIABLE))


def arrived(root: Path, log: EventLog, as_of: datetime = FAR) -> list[str]:
    (root / log.location).mkdir(parents=True, exist_ok=True)
    return list(arrival_of(log, as_of=as_of).ask(root, log).arrived)


def refusal(root: Path, query: str = "select complete_until from load_status") -> str:
    """What a tick shows of the error."""
    with pytest.raises(SourceError) as error:
        arrived(root, watermarked(event_log(VISITS), query))
    text = "".join(traceback.format_exception(error.value))
    assert PASSWORD not in text
    return text


def reports(service: Service) -> Counter[tuple[str, str | None]]:
    """How often each event partition was reported."""
    return Counter(
        (log.key, record.asset_materialization.partition)
        for log in service.model.logs
        for record in service.instance.fetch_materializations(asset_key(log.key), limit=1000).records
        if record.asset_materialization
    )


def days(log: str, last: int) -> Counter[tuple[str, str | None]]:
    return Counter((log, f"2026-05-{day:02}") for day in range(1, last + 1))


BERLIN_SPRING = Calendar("day", date(2026, 3, 28), "Europe/Berlin")
BERLIN_AUTUMN = Calendar("day", date(2026, 10, 24), "Europe/Berlin")
BERLIN_HOURS = Calendar("hour", date(2026, 10, 25), "Europe/Berlin")
TOKYO_WEEKS = Calendar("week", date(2026, 5, 4), "Asia/Tokyo")
DAYS = Calendar("day", date(2026, 5, 1), "UTC", date(2026, 5, 4))
#: A calendar, a watermark, and the partitions that are complete by it.
ENDS: list[tuple[Calendar, str, list[str]]] = [
    (DAYS, "2026-05-03 00:00:00+00", ["2026-05-01", "2026-05-02"]),
    (DAYS, "2026-05-02 23:59:59.999999+00", ["2026-05-01"]),
    (DAYS, "2026-05-01 17:00:00-07", ["2026-05-01"]),
    (DAYS, "2026-04-30 23:00:00+00", []),
    (DAYS, "2026-06-01 00:00:00+00", ["2026-05-01", "2026-05-02", "2026-05-03"]),
    # 23 hours after the day of the 28th.
    (BERLIN_SPRING, "2026-03-29 22:00:00+00", ["2026-03-28", "2026-03-29"]),
    (BERLIN_SPRING, "2026-03-29 21:59:59.999999+00", ["2026-03-28"]),
    # 25 hours after the day of the 24th, and 24.
    (BERLIN_AUTUMN, "2026-10-25 23:00:00+00", ["2026-10-24", "2026-10-25"]),
    (BERLIN_AUTUMN, "2026-10-25 22:00:00+00", ["2026-10-24"]),
    # Two hours of that day are both called two o'clock, and the former comes first.
    (BERLIN_HOURS, "2026-10-25 00:59:59+00", ["2026-10-25-00:00+0200", "2026-10-25-01:00+0200"]),
    (
        BERLIN_HOURS,
        "2026-10-25 02:00:00 Europe/Berlin",
        ["2026-10-25-00:00+0200", "2026-10-25-01:00+0200", "2026-10-25-02:00+0200"],
    ),
    (
        BERLIN_HOURS,
        "2026-10-25 02:00:00+00",
        ["2026-10-25-00:00+0200", "2026-10-25-01:00+0200", "2026-10-25-02:00+0200", "2026-10-25-02:00+0100"],
    ),
    (TOKYO_WEEKS, "2026-05-10 15:00:00+00", ["2026-05-04"]),
    (TOKYO_WEEKS, "2026-05-10 14:59:59+00", []),
]
