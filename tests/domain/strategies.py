"""Random models: any calendar, windows, horizons and time zone, where clocks change and where they do not."""

from datetime import date, timedelta
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from ml_assets.domain.calendar import Calendar, Every
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.declared.history import Feature, History
from ml_assets.domain.declared.spec import Evaluation, Join, Model, Training
from ml_assets.domain.durations import Duration

ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Africa/Casablanca")
HALF_HOUR_ZONE = "Australia/Lord_Howe"
#: Clocks change within days of each of these, somewhere.
STARTS = (
    date(2021, 1, 4),
    date(2021, 3, 3),
    date(2021, 3, 25),
    date(2021, 4, 8),
    date(2020, 10, 1),
    date(2020, 10, 22),
    date(2018, 10, 31),
)
NESTED: tuple[tuple[Every, Every, Every], ...] = (
    ("day", "day", "day"),
    ("hour", "hour", "hour"),
    ("week", "week", "week"),
    ("day", "hour", "hour"),
    ("day", "day", "hour"),
    ("week", "day", "day"),
    ("week", "week", "day"),
)
_HOURS = {"hour": 1, "day": 24, "week": 168}


@st.composite
def models(
    draw: st.DrawFn,
    *,
    nested: tuple[tuple[Every, Every, Every], ...] = NESTED,
    zones: tuple[str, ...] = (*ZONES, HALF_HOUR_ZONE),
) -> Model:
    """A model on two logs, or on one, with a log of history sometimes; partitions of model, exposures and outcomes."""
    every, of_exposures, of_outcomes = draw(st.sampled_from(nested))
    if "hour" in (every, of_exposures, of_outcomes):
        zones = tuple(zone for zone in zones if zone != HALF_HOUR_ZONE)
    zone, start = draw(st.sampled_from(zones)), draw(st.sampled_from(STARTS))
    unit = {"hour": "h", "day": "d", "week": "w"}[every]
    window, gap = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    attribution = draw(st.integers(1, (window + gap) * _HOURS[every]))
    assume(attribution < (window + gap) * _HOURS[every])
    horizons = draw(st.lists(st.integers(1, 3 * _HOURS[every]), min_size=1, max_size=2, unique=True))
    end = draw(st.sampled_from([None, None, 5, 8]))

    def log(key: str, log_every: Every) -> EventLog:
        days = {"hour": 1, "day": 1, "week": 7}[every] * end if end else None
        calendar = Calendar(log_every, start, zone, start + timedelta(days=days) if days else None)
        restatement = draw(st.sampled_from([None, None, Duration(0, "h"), Duration(2 * _HOURS[every], "h")]))
        return EventLog(key, key, calendar, Duration(60, "w"), Columns("event_time", ("id",)), restatement=restatement)

    exposures = log("ads/impressions", of_exposures)
    by_entity = of_exposures == of_outcomes and draw(st.booleans())
    fields: dict[str, Any] = {}
    if draw(st.booleans()):
        back = Duration(draw(st.integers(1, 2 * _HOURS[every])), "h")
        logs = [exposures, log("ads/visits", of_outcomes)]
        fields["history"] = (History(draw(st.sampled_from(logs)), back, ("user",), {"visits": Feature("count", None)}),)
    calendar = Calendar(every, start, zone, exposures.partitions.end)
    return Model(
        name="ads/cvr",
        exposures=exposures,
        outcomes=exposures if by_entity else log("ads/conversions", of_outcomes),
        join=Join(("user",), by_id=False) if by_entity else Join(("id",), by_id=True),
        training=Training(Duration(window, unit), Duration(gap, unit), Duration(attribution, "h")),
        evaluation=Evaluation(
            Duration(draw(st.integers(1, 2)), unit), tuple(Duration(hours, "h") for hours in horizons)
        ),
        calendar=calendar,
        **fields,
    )
