"""Whatever has happened: a plan holds what is needed and can be made, and executed it leaves nothing."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.due import State, due, statuses
from ml_assets.domain.owed.plan import Kind, Plan, PlannedRun, plan
from ml_assets.domain.owed.runs import RunSize
from tests.domain.owed.plan.planned import ALL, CONVERSIONS, EVALUATION_DATA, TRAINING_DATA, make, plan_of, planned_by
from tests.domain.steps import Step
from tests.domain.strategies import models
from tests.domain.watched import DAYS, HAPPENINGS, Watched
from tests.domain.world import World


def _steps(world: World, run: PlannedRun) -> list[Step]:
    return [Step(asset, world.model.partitions.index_of(partition)) for asset, partition in run.items]


def _upstream(world: World, step: Step) -> list[Step]:
    """What a step reads."""
    model, horizon = world.model, world.horizon(step.asset)
    if step.asset == model.asset("model"):
        return [Step(model.asset("training_data"), step.day)]
    if step.asset == model.asset("metrics", horizon) and horizon:
        return [Step(model.asset("evaluation_data", horizon), step.day), Step(model.asset("model"), step.day)]
    return []


def _before(world: World, step: Step) -> list[Step]:
    """What a step reads, and the model that comes before its evaluation data."""
    comes_after = [Step(world.model.asset("model"), step.day)] if world.horizon(step.asset) else []
    return [*_upstream(world, step), *comes_after]


def _execute(world: World, made: Plan) -> None:
    """Each run as soon as nothing that it waits for is to come, as a backfill does."""
    queue = [_steps(world, run) for run in made.runs]
    while queue:
        open_steps = [{step for steps in queue if steps is not one for step in steps} for one in queue]
        ready = [
            steps
            for steps, others in zip(queue, open_steps, strict=True)
            if not any(before in others for step in steps for before in _before(world, step))
        ]
        assert ready, "the runs wait for one another"
        queue.remove(ready[0])
        world.finish(world.launch(ready[0]))


def test_a_plan_that_is_executed_to_its_end_leaves_an_empty_one(world: World) -> None:
    make(world, *ALL, TRAINING_DATA)
    make(world, TRAINING_DATA, day=2, fails=True)
    world.code[EVALUATION_DATA] = "another"
    world.arrive(CONVERSIONS, 2, says=1)
    first = plan_of(world)
    assert {want.kind for run in first.runs for want in run.wants.values()} == set(Kind)
    _execute(world, first)
    assert plan_of(world) == Plan([], first.blocked, {})


def test_corrected_evaluation_data_without_a_model_is_planned_with_the_model(world: World) -> None:
    """It was made by hand. Else the next plan would begin anew."""
    make(world, EVALUATION_DATA)
    world.arrive(CONVERSIONS, 2, says=1)
    _execute(world, plan_of(world))
    assert plan_of(world).runs == []


STATES = given(
    models(),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(4, DAYS),
    st.booleans(),
    st.lists(st.tuples(HAPPENINGS, st.booleans()), min_size=5, max_size=30),
)


def _reach(model: Model, days_over: int, settled: bool, happenings: Iterable[tuple[tuple[Any, ...], bool]]) -> Watched:
    """A world in which such things have happened."""
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
    world.look()
    return world


def _is_current(world: Watched, step: Step) -> bool:
    made, begun = world.made.get(step), world.begun.get(step)
    if made is None or begun is None or begun.id > made.id:
        return False
    return (made.of, made.code) == (world.truth(step), world.code[step.asset])


@STATES
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_whatever_has_happened_exactly_what_is_needed_and_can_be_made_is_planned(
    model: Model, at_most: int, parallelism: int, days_over: int, settled: bool, happenings: list[Any]
) -> None:
    world = _reach(model, days_over, settled, happenings)
    made = plan_of(world, size=RunSize(at_most, parallelism))
    planned = planned_by(world, made.runs)
    blocked = {Step(asset, model.partitions.index_of(key)) for asset, of in made.blocked.items() for key in of}
    running = {step for run in world.runs for step in run.holds}

    assert len(planned) == sum(len(run.items) for run in made.runs), "each is planned once"
    assert not running & planned.keys()
    assert not any(world.has_arrived(step) for step in running & blocked), "launched by hand, to be refused"
    assert not planned.keys() & blocked
    for step, want in planned.items():
        upstream = _upstream(world, step)
        assert all(one in world.made or one in planned for one in upstream)
        assert (want.kind is Kind.MISSING) == (step not in world.made)
        assert not _is_current(world, step) or any(one in planned for one in upstream)
        assert step in world.expected()
        assert step.asset not in {chain[0] for chain in world.chains} or world.has_arrived(step)
    for step in world.expected():
        if step not in running and step not in world.made:
            waits = any(one in running or one in blocked for one in _before(world, step))
            assert step in planned or (step in blocked and waits), "all that can be made is planned"
    assert all(made.blocked[asset] and all(of.values()) for asset, of in made.blocked.items()), "each with a reason"


@given(
    models(), st.integers(1, 9), st.integers(1, 3), st.sets(st.integers(0, DAYS - 1)), st.sets(st.integers(0, DAYS - 1))
)
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_whatever_is_made_a_run_comes_after_all_that_it_needs(
    model: Model, at_most: int, parallelism: int, prepared: set[int], trained: set[int]
) -> None:
    world = _reach(model, DAYS, False, [])
    for asset, days in ((model.asset("training_data"), prepared | trained), (model.asset("model"), trained)):
        world.finish(world.launch(Step(asset, day) for day in sorted(days) if day >= world.first_day))
    runs = plan_of(world, size=RunSize(at_most, parallelism)).runs
    planned, done = planned_by(world, runs), set[Step]()
    for step in planned:
        assert all(one in done or one not in planned for one in _before(world, step))
        done.add(step)


@STATES
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
def test_whatever_has_happened_a_plan_that_is_executed_to_its_end_leaves_an_empty_one(
    model: Model, at_most: int, parallelism: int, days_over: int, settled: bool, happenings: list[Any]
) -> None:
    world = _reach(model, days_over, settled, happenings)
    for run in list(world.runs):
        world.finish(run)
    _execute(world, plan_of(world, size=RunSize(at_most, parallelism)))
    assert plan_of(world).runs == []


def test_states_are_met_that_the_cases_above_name(world: World) -> None:
    """The world of these tests has what its description says."""
    found = statuses(world.model, world.facts(), as_of=world.now)
    assert [status.state for status in found[TRAINING_DATA].values()] == [State.DUE] * 4
    assert list(found[TRAINING_DATA]) == ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]


@given(models(), st.integers(4, DAYS), st.data())
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_whatever_is_lost_is_made_again_and_then_nothing_is_owed(
    model: Model, days_over: int, data: st.DataObject
) -> None:
    world = _reach(model, days_over, True, [])
    before, made = plan_of(world), sorted(world.made, key=lambda step: (step.asset, step.day))
    assert before.runs == []
    lost = data.draw(st.sets(st.sampled_from(made))) if made else set()
    by_asset: dict[str, dict[str, str]] = {}
    for step in lost:
        by_asset.setdefault(step.asset, {})[world.key(step.day)] = "/store"
    facts = replace(world.facts(), lost=by_asset)
    found = statuses(model, facts, as_of=world.now)
    assert due(model, facts, found, size=RunSize(30)) == world.requests() == []
    again = plan(model, facts, found, assets=list(world.code), size=RunSize(30))
    planned = planned_by(world, again.runs)
    assert {step for step, want in planned.items() if want.kind is Kind.MISSING} == lost
    assert again.blocked == before.blocked
    _execute(world, again)
    assert plan_of(world) == before
