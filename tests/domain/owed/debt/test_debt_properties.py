"""Evaluation debt whatever happens: one cause for each metric, and a true one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_assets.domain.declared.history import Feature, History
from ml_assets.domain.declared.spec import Join, Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.owed.debt import Cause, Debt, debt
from ml_assets.domain.owed.due import State, statuses
from ml_assets.domain.windows import Needs, needed, windows_of
from tests.domain.owed.debt.owed import (
    TRAINING_DATA,
)
from tests.domain.steps import Step
from tests.domain.strategies import models
from tests.domain.wall_clock import edge
from tests.domain.watched import DAYS, HAPPENINGS, Watched

MakeModel = Callable[..., Model]


@given(
    models(),
    st.integers(3, DAYS),
    st.booleans(),
    st.lists(st.tuples(HAPPENINGS, st.booleans()), min_size=1, max_size=30),
)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_whatever_happens_each_metric_has_one_cause_and_it_is_true(
    model: Model, days_over: int, settled: bool, happenings: list[tuple[tuple[Any, ...], bool]]
) -> None:
    world = Watched(model)
    world.time_passes(days_over)
    for log in range(len(model.logs)):
        world.arrives(log, 0, days_over)
    if settled:
        world.settle()
    for (what, *details), then_tick in happenings:
        getattr(world, what)(*details)
        if then_tick:
            world.tick()
        _check(world)
    world.settle()
    for entry in _check(world).entries:
        assert entry.cause not in (Cause.DUE, Cause.RUNNING), "once all is settled, nothing is left to launch"


def _check(world: Watched) -> Debt:
    """Hold the debt against what has really happened."""
    model, late = world.model, [part for part, (present, counts) in world.seen.items() if present != counts]
    calendars = {log.key: log.partitions for log in model.logs}
    by_log = {key: frozenset(calendars[key].key(day) for log, day in late if log == key) for key in calendars}
    facts = replace(world.facts(), late=by_log)
    found = statuses(model, facts, as_of=world.now)
    owed = debt(model, facts, found, as_of=world.now)
    expected = [
        (partition, horizon)
        for horizon in model.evaluation.horizons
        for partition in found[f"ads/cvr/metrics_{horizon}"]
    ]
    assert sorted((entry.partition, str(entry.horizon)) for entry in owed.entries) == sorted(
        (partition, str(horizon)) for partition, horizon in expected
    )
    for entry in owed.entries:
        day = model.partitions.index_of(entry.partition)
        data, metrics = (Step(model.asset(step, entry.horizon), day) for step in ("evaluation_data", "metrics"))
        states = {found[step.asset][entry.partition].state for step in (data, metrics)}
        assert (entry.cause is Cause.DONE) == (states == {State.DONE})
        if entry.cause is Cause.FAILED:
            assert world.has_failed(Step(entry.asset, day))
            assert entry.run == world.begun[Step(entry.asset, day)].run
        elif entry.cause is Cause.RUNNING:
            assert any(Step(entry.asset, day) in run.holds for run in world.runs)
        elif entry.cause is Cause.STALE:
            assert metrics in world.made
        elif entry.cause is not Cause.DONE:
            assert metrics not in world.made
            assert (entry.cause is Cause.MISSING_INPUT) == bool(_overdue(world, data))
        if entry.cause is not Cause.WAITING:
            continue
        unfinished = [1 for log, part in world.window(data) if edge(calendars[log], part + 1) > world.now]
        assert unfinished, "what waits waits for a day that has not ended"
        assert entry.why or entry.age(world.now) is None
    changes = {(change.log, calendars[change.log].index_of(change.partition)): change for change in owed.late}
    assert changes.keys() == set(late)
    for part, change in changes.items():
        for horizon in model.evaluation.horizons:
            asset, data_asset = model.asset("metrics", horizon), model.asset("evaluation_data", horizon)
            days = [step.day for step in world.made if step.asset == asset]
            reading = {world.key(day) for day in days if part in world.window(Step(data_asset, day))}
            assert set(change.metrics.get(asset, ())) == reading
    return owed


def _overdue(world: Watched, data: Step) -> list[tuple[str, int]]:
    """The event partitions that are wanted for a metric, have ended and have not arrived."""
    steps = [step for step in (Step(TRAINING_DATA, data.day), data) if step not in world.made]
    calendars = {log.key: log.partitions for log in world.model.logs}
    return [
        (log, part)
        for step in steps
        for log, part in world.window(step)
        if part not in world.source[log] and edge(calendars[log], part + 1) <= world.now
    ]


@given(models(), st.integers(0, 9))
@settings(max_examples=100)
def test_what_models_of_equal_windows_share_is_what_each_needs(model: Model, later: int) -> None:
    logs = {log.key: replace(log, key=f"{log.key}_too") for log in model.logs}
    exposures, outcomes = logs[model.exposures.key], logs[model.outcomes.key]
    history = tuple(replace(one, log=logs[one.log.key]) for one in model.history)
    twin = replace(model, name="ads/twin", exposures=exposures, outcomes=outcomes, history=history)
    longer = replace(model, evaluation=replace(model.evaluation, window=replace(model.evaluation.window, count=3)))
    for one in (model, twin, longer, model):
        _assert_shared_is_needed(one, model.first_index + later)


def test_what_differs_in_its_partitions_or_in_which_log_is_read_for_what_is_not_shared(make_model: MakeModel) -> None:
    model = make_model(training=("2w", "0d", "7d"), evaluation=("1w", "1d"))
    visits = History(model.outcomes, Duration(3, "d"), ("user",), {"visits": Feature("count", None)})
    weekly = replace(model, calendar=replace(model.exposures.partitions, every="week"))
    by_history = replace(model, history=(visits,))
    one_log = replace(by_history, outcomes=model.exposures, join=Join(("user",), by_id=False))
    for one in (model, weekly, by_history, one_log):
        _assert_shared_is_needed(one, 20)


def _assert_shared_is_needed(model: Model, index: int) -> None:
    for horizon in (None, *model.evaluation.horizons):
        assert Needs(model, horizon).of(index) == needed(model, windows_of(model, index, horizon))
