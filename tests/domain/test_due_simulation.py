"""What `due` promises, in a simulated world: whatever happens in whatever order, nothing is forgotten or repeated."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.due import statuses
from tests.domain.steps import Step
from tests.domain.strategies import models
from tests.domain.watched import DAY, DAYS, HAPPENINGS, LOG, NTH, Watched, play

MakeModel = Callable[..., Model]


ANYTHING = given(
    model=models(),
    partitions_per_run=st.integers(1, 4),
    days_over=st.integers(4, DAYS),
    settled=st.booleans(),
    happenings=st.lists(st.tuples(HAPPENINGS, st.booleans()), min_size=5, max_size=40),
)


@ANYTHING
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
def test_whatever_happens_nothing_is_forgotten_or_repeated(
    model: Model, partitions_per_run: int, **happened: Any
) -> None:
    play(Watched(model, partitions_per_run=partitions_per_run), **happened)


@pytest.mark.slow
@ANYTHING
@settings(max_examples=400, suppress_health_check=list(HealthCheck))
def test_whatever_happens_hundreds_of_times_nothing_is_forgotten_or_repeated(
    model: Model, partitions_per_run: int, **happened: Any
) -> None:
    play(Watched(model, partitions_per_run=partitions_per_run), **happened)


@pytest.mark.parametrize("examples", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_each_mature_partition_is_made_exactly_once_in_whatever_order_its_events_arrive(examples: int) -> None:
    @given(
        models(),
        st.integers(1, 4),
        st.permutations([(log, day) for log in (0, 1, 2) for day in range(DAYS)]),
        st.lists(st.integers(0, 2), min_size=3 * DAYS, max_size=3 * DAYS),
    )
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    def arrive_in_some_order(
        model: Model, partitions_per_run: int, arrivals: list[tuple[int, int]], days_between: list[int]
    ) -> None:
        world = Watched(model, partitions_per_run=partitions_per_run)
        for (log, day), days in zip(arrivals, days_between, strict=True):
            world.arrives(log, day, 1)
            world.time_passes(days)
            world.tick()
            world.run_goes_on(day, days, fails=False)
        world.settle()
        assert sorted(map(repr, world.history)) == sorted(map(repr, world.expected()))

    arrive_in_some_order()


@given(models(), LOG, DAY, NTH, st.booleans())
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_a_correction_evaluates_again_exactly_what_reads_it_and_never_trains(
    model: Model, log: int, day: int, nth: int, rows_change: bool
) -> None:
    world = _complete(model)
    corrected = list(world.source)[log % len(world.source)]
    parts = world.parts(corrected, day, 1)
    assume(parts)
    index = parts[nth % len(parts)]
    before = world.counts(corrected, index)
    world.arrive(corrected, index, says=int(rows_change))
    counts = world.counts(corrected, index) != before
    evaluations = [step for step in world.made if world.horizon(step.asset) and "_data" in step.asset]
    touched = {step for step in evaluations if counts and (corrected, index) in world.window(step)}
    assert set(world.tick()) == touched
    for run in list(world.runs):
        world.finish(run)
    follow = {Step(step.asset.replace("evaluation_data", "metrics"), step.day) for step in touched}
    assert set(world.tick()) == (follow if rows_change else set())
    world.settle()


def test_a_model_that_was_made_again_by_hand_is_judged_again_on_the_same_rows(make_model: MakeModel) -> None:
    world = _complete(make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d", "2d")))
    world.launch([Step("ads/cvr/model", 3)])
    world.finish(world.runs[0])
    assert set(world.tick()) == {Step("ads/cvr/metrics_1d", 3), Step("ads/cvr/metrics_2d", 3)}


def test_a_correction_during_the_run_that_reads_it_is_picked_up_afterwards(make_model: MakeModel) -> None:
    world = _complete(make_model(training=("2d", "1d", "1d"), evaluation=("2d", "1d")))
    step = Step("ads/cvr/evaluation_data_1d", 4)
    world.arrive("ads/conversions", 5)
    assert step in world.tick()
    run = next(run for run in world.runs if step in run.holds)
    while run.begun != step:
        world.advance(run)
    world.arrive("ads/conversions", 5)
    assert world.tick() == []
    world.finish(run)
    assert step in world.tick()
    world.settle()
    assert world.made[step].of == world.truth(step)


def _complete(model: Model) -> Watched:
    """A world in which everything has arrived and was made."""
    world = Watched(model)
    world.days_over = DAYS
    for log in range(len(world.source)):
        world.arrives(log, 0, DAYS)
    world.tick()
    world.settle()
    assert set(world.made) == set(world.expected())
    return world


@given(models(), st.integers(0, DAYS))
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_exactly_those_partitions_are_expected_that_are_over_and_lie_inside_the_logs(model: Model, days: int) -> None:
    world = Watched(model)
    world.time_passes(days)
    found = statuses(model, world.facts(), as_of=world.now)
    for asset in world.code:
        over = range(world.first_day, world.days_over)
        assert list(found[asset]) == [world.key(day) for day in over if world.is_expected(asset, day)]
