"""Event logs and models to vary from: daily in UTC from 2026-01-01 on, unless a test says otherwise."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.declared.spec import Evaluation, Join, Model, Training
from ml_assets.domain.durations import Duration, parse_duration


def _duration(text: str) -> Duration:
    return parse_duration(text, key="test", zero=True)


def _calendar(every: Any = "day", start: str = "2026-01-01", timezone: str = "UTC", end: str | None = None) -> Calendar:
    return Calendar(every, date.fromisoformat(start), timezone, date.fromisoformat(end) if end else None)


def _log(key: str = "ads/impressions", *, lookahead: str = "60d", **changes: Any) -> EventLog:
    partitions = {name: changes.pop(name) for name in ("every", "start", "timezone", "end") if name in changes}
    values: dict[str, Any] = {"location": key, "columns": Columns("event_time", ("impression_id",)), **changes}
    return EventLog(key=key, partitions=_calendar(**partitions), lookahead=_duration(lookahead), **values)


def _model(
    *,
    training: tuple[str, str, str] = ("28d", "0d", "7d"),
    evaluation: tuple[str, ...] = ("1d", "7d"),
    outcomes: dict[str, Any] | None = None,
    same_log: bool = False,
    join: Join | None = None,
    name: str = "ads/cvr",
    **log: Any,
) -> Model:
    exposures = _log(**log)
    window, gap, attribution = map(_duration, training)
    evaluation_window, *horizons = map(_duration, evaluation)
    return Model(
        name=name,
        exposures=exposures,
        outcomes=exposures if same_log else _log(**{"key": "ads/conversions", **log, **(outcomes or {})}),
        join=join or (Join(("user_id", "item_id"), by_id=False) if same_log else Join(("impression_id",), by_id=True)),
        training=Training(window, gap, attribution),
        evaluation=Evaluation(evaluation_window, tuple(horizons)),
    )


@pytest.fixture(scope="session")
def make_calendar() -> Callable[..., Calendar]:
    """A calendar from `every`, `start`, `timezone` and `end`, dates as text."""
    return _calendar


@pytest.fixture(scope="session")
def make_log() -> Callable[..., EventLog]:
    """A log from its key, `lookahead` as text, the fields of its calendar, and any other field of EventLog."""
    return _log


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Model]:
    """A model.

    `training`: window, gap and attribution; `evaluation`: the window, then the horizons; `outcomes`: how its outcome
    log differs; the rest describes both logs.
    """
    return _model
