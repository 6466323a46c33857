"""Dagster's edges show the partitions that the domain needs."""

from datetime import date, datetime

import pytest
from hypothesis import HealthCheck, given, settings

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.event_log import Columns, EventLog
from ml_assets.domain.declared.spec import Evaluation, Join, Model, Training
from ml_assets.domain.durations import Duration
from ml_assets.domain.windows import last_index, needed, windows_of
from ml_assets.orchestration.partitions import partitions_definition, window_mappings
from tests.domain.strategies import models

HORIZONS = (Duration(1, "d"), Duration(30, "h"), Duration(7, "d"))
NOW = datetime(2026, 4, 20)


def model(*, gap: int, same_log: bool) -> Model:
    def log(key: str) -> EventLog:
        calendar = Calendar("day", date(2026, 3, 1), "Asia/Tokyo")
        return EventLog(key, key, calendar, Duration(10, "d"), Columns("event_time", ("id",)))

    visits = log("shop/visits")
    return Model(
        name="shop/order",
        exposures=visits,
        outcomes=visits if same_log else log("shop/orders"),
        join=Join(("user_id",), by_id=False),
        training=Training(Duration(14, "d"), Duration(gap, "d"), Duration(3, "d")),
        evaluation=Evaluation(Duration(2, "d"), HORIZONS),
    )


@pytest.mark.parametrize("same_log", [False, True])
@pytest.mark.parametrize("gap", [0, 2])
@pytest.mark.parametrize("horizon", [None, *HORIZONS], ids=str)
def test_each_edge_maps_a_partition_to_those_that_its_windows_need(
    horizon: Duration | None, gap: int, same_log: bool
) -> None:
    declared = model(gap=gap, same_log=same_log)
    calendar, first = declared.partitions, declared.first_index
    downstream = partitions_definition(calendar, first_index=first)
    mappings = window_mappings(declared, windows_of(declared, first, horizon), first)
    logs = {log.key: log for log in declared.logs}
    assert set(mappings) == set(logs)
    for index in (first, first + 1, first + 9):
        wanted = needed(declared, windows_of(declared, index, horizon))
        for key, mapping in mappings.items():
            upstream = partitions_definition(logs[key].partitions, partitions_ahead=logs[key].partitions_ahead)
            subset = downstream.subset_with_partition_keys([calendar.key(index)])
            found = mapping.get_upstream_mapped_partitions_result_for_partitions(
                subset, downstream, upstream, current_time=NOW
            )
            assert list(found.partitions_subset.get_partition_keys()) == [calendar.key(i) for i in wanted[key]]


@given(models(zones=("UTC",)))
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_the_edges_of_any_model_hold_at_least_what_its_windows_need(declared: Model) -> None:
    """Where the model is coarser than a log, whole partitions of the model; where clocks change, see the docstring."""
    first = declared.first_index
    logs = {log.key: log for log in declared.logs}
    for horizon in (None, *declared.evaluation.horizons):
        last = last_index(declared, horizon)
        if last is not None and last < first:
            continue
        downstream = partitions_definition(declared.partitions, first_index=first, last_index=last)
        subset = downstream.subset_with_partition_keys([declared.partitions.key(first)])
        wanted = needed(declared, windows_of(declared, first, horizon))
        for key, mapping in window_mappings(declared, windows_of(declared, first, horizon), first).items():
            calendar = logs[key].partitions
            upstream = partitions_definition(calendar, partitions_ahead=logs[key].partitions_ahead)
            found = mapping.get_upstream_mapped_partitions_result_for_partitions(
                subset, downstream, upstream, current_time=datetime(2030, 1, 1)
            )
            assert {calendar.key(i) for i in wanted[key]} <= set(found.partitions_subset.get_partition_keys())


@given(models())
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_an_asset_has_the_partitions_from_the_first_to_the_last_that_can_be_made(declared: Model) -> None:
    for horizon in (None, *declared.evaluation.horizons):
        first, last = declared.first_index, last_index(declared, horizon)
        if last is None or last < first:
            continue
        definition = partitions_definition(declared.partitions, first_index=first, last_index=last)
        keys = definition.get_partition_keys(current_time=datetime(2040, 1, 1))
        assert keys == [declared.partitions.key(index) for index in range(first, last + 1)]


def test_an_event_log_lists_partitions_of_the_future() -> None:
    log = model(gap=0, same_log=True).exposures
    definition = partitions_definition(log.partitions, partitions_ahead=log.partitions_ahead)
    # 20 April is under way; ten days are looked ahead, and one more for the days on which clocks change.
    assert definition.get_partition_keys(current_time=NOW)[-1] == "2026-04-30"
