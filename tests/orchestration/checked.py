"""A model whose rows the check `no_leak` verifies, and the end of its partition."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from ml_assets.domain.calendar import Calendar, Every
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.declared.spec import Evaluation, Join, Model, Training
from ml_assets.domain.durations import Duration

HOUR = timedelta(hours=1)
SHORT, LONG = Duration(1, "d"), Duration(2, "d")
D = "2026-05-03"
CUTOFF = datetime(2026, 5, 4, tzinfo=UTC)


def declared(every: Every = "day", zone: str = "UTC", *, start: date = date(2026, 5, 1), gap: int = 0) -> Model:
    unit: Any = {"hour": "h", "day": "d", "week": "w"}[every]
    calendar = Calendar(every, start, zone)

    def log(name: str, delay: timedelta) -> EventLog:
        columns = Columns("at", ("shop", "visit"), "known", "gone")
        return EventLog(name, name, calendar, Duration(60, "d"), columns, known_delay=delay)

    return Model(
        name="shop/order",
        exposures=log("shop/visits", 2 * HOUR),
        outcomes=log("shop/orders", 3 * HOUR),
        join=Join(("visit",), by_id=True),
        training=Training(Duration(3, unit), Duration(gap, unit), Duration(1, unit)),
        evaluation=Evaluation(Duration(1, unit), (SHORT, LONG)),
    )
