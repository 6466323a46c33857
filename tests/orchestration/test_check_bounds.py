"""The bounds to which the check `no_leak` holds rows are those of the domain."""

from dataclasses import replace
from datetime import UTC, date

import pytest

from ml_assets.domain.calendar import Every
from ml_assets.domain.declared.history import Feature, History
from ml_assets.domain.declared.spec import Join
from ml_assets.domain.durations import Duration
from ml_assets.domain.windows import windows_of
from ml_assets.orchestration.checks import _bounds
from ml_assets.orchestration.partitions import partitions_definition
from tests.orchestration.checked import CUTOFF, LONG, SHORT, declared


@pytest.mark.parametrize("horizon", [None, SHORT, LONG], ids=str)
@pytest.mark.parametrize("gap", [0, 1])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize(
    ("every", "start"),
    [
        ("day", date(2026, 3, 20)),
        ("day", date(2026, 10, 18)),
        ("week", date(2026, 3, 8)),
        ("week", date(2026, 10, 5)),
        ("hour", date(2026, 3, 28)),
        ("hour", date(2026, 10, 24)),
    ],
)
def test_the_bounds_from_the_end_of_dagsters_partition_are_those_of_the_domain(
    every: Every, start: date, zone: str, gap: int, horizon: Duration | None
) -> None:
    """Around the days on which clocks change: whatever partition is made, the check asks for the same."""
    model = declared(every, zone, start=start, gap=gap)
    definition = partitions_definition(model.partitions)
    for index in range({"hour": 30, "day": 15, "week": 5}[every]):
        key = model.partitions.key(index)
        cutoff = definition.time_window_for_partition_key(key).end.astimezone(UTC)
        windows = windows_of(model, index, horizon)
        bounds = _bounds(model, horizon, cutoff)
        assert (bounds.exposures_from, bounds.exposures_until) == (windows.exposures.start, windows.exposures.end)
        assert (bounds.outcomes_until, bounds.within) == (windows.outcomes.end, windows.within)
        known = {"exposures": model.exposures, "outcomes": model.outcomes}
        expected = {} if horizon else {role: windows.known_before(log) for role, log in known.items()}
        assert bounds.known_before == expected


def test_the_bounds_tell_how_outcomes_are_joined_and_whether_there_is_history() -> None:
    model = declared()
    assert _bounds(model, None, CUTOFF).by_id
    assert not _bounds(model, None, CUTOFF).has_history
    history = History(model.exposures, Duration(1, "d"), ("shop",), {"visits": Feature("count", None)})
    other = replace(model, join=Join(("shop",), by_id=False), history=(history,))
    for horizon in (None, SHORT):
        assert not _bounds(other, horizon, CUTOFF).by_id
        assert _bounds(other, horizon, CUTOFF).has_history
