"""What a backfill would make and why, case by case in one world, then for whatever has happened in any.

One model, daily from 2026-01-01 on: training reads two days, evaluation the day after, horizons of one and two days.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_assets.domain.due import State, due, statuses
from ml_assets.domain.errors import SpecError
from ml_assets.domain.plan import Budget, Kind, Plan, PlannedRun, Want, estimate, in_order, plan
from ml_assets.domain.runs import RunSize
from ml_assets.domain.spec import Model
from tests.domain.strategies import models
from tests.domain.watched import DAYS, HAPPENINGS, Watched
from tests.domain.world import Step, World

TRAINING_DATA, MODEL = "ads/cvr/training_data", "ads/cvr/model"
EVALUATION_DATA, METRICS = "ads/cvr/evaluation_data_1d", "ads/cvr/metrics_1d"
EVALUATION_DATA_2D, METRICS_2D = "ads/cvr/evaluation_data_2d", "ads/cvr/metrics_2d"
ALL = (TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS, EVALUATION_DATA_2D, METRICS_2D)
IMPRESSIONS, CONVERSIONS = "ads/impressions", "ads/conversions"
FIRST = "2026-01-02"
MISSING = Want(Kind.MISSING, "")


@pytest.fixture
def model(make_model: Callable[..., Model]) -> Model:
    return make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d", "2d"))


@pytest.fixture
def world(model: Model) -> World:
    """Nothing is made yet. Five days are over and have arrived: for the days 1 to 4, two evaluations of day 1."""
    world = World(model)
    world.days_over = 5
    for day in range(5):
        world.arrive(IMPRESSIONS, day)
        world.arrive(CONVERSIONS, day)
    return world


def _plan(world: World, **changes: Any) -> Plan:
    facts = world.facts()
    found = statuses(world.model, facts, as_of=world.now)
    options = {"assets": list(world.code), "size": RunSize(world.partitions_per_run), **changes}
    return plan(world.model, facts, found, **options)


def _wants(made: Plan, *, of: str | None = None) -> dict[str, Want]:
    """Why each asset is made, of one partition."""
    partition = of or FIRST
    return {
        asset: run.wants[asset, partition]
        for run in made.runs
        for asset, one in run.items
        if one == partition and (asset, one) in run.wants
    }


def _runs(made: Plan) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(run.assets, run.partitions) for run in made.runs]


def _blocked(made: Plan, partition: str = FIRST) -> dict[str, str]:
    return {asset: of[partition] for asset, of in made.blocked.items() if partition in of}


def _make(world: World, *assets: str, day: int = 1, fails: bool = False) -> None:
    """Materialize a partition of some assets, or try to."""
    for asset in assets:
        world.launch([Step(asset, day)])
        run = world.runs[-1]
        world.advance(run)
        world.advance(run, fails=fails)


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


def _planned(world: World, runs: Iterable[PlannedRun]) -> dict[Step, Want]:
    calendar = world.model.partitions
    return {Step(item[0], calendar.index_of(item[1])): run.wants[item] for run in runs for item in run.items}


def test_what_is_missing_is_planned_oldest_first_and_training_before_evaluation(world: World) -> None:
    made = _plan(world)
    assert _runs(made) == [
        ((TRAINING_DATA, MODEL), ("2026-01-02", "2026-01-03")),
        ((EVALUATION_DATA, METRICS), ("2026-01-02", "2026-01-03")),
        ((EVALUATION_DATA_2D, METRICS_2D), ("2026-01-02",)),
        ((TRAINING_DATA, MODEL), ("2026-01-04", "2026-01-05")),
    ]
    assert [want for run in made.runs for want in run.wants.values()] == [MISSING] * 14
    assert {run.model for run in made.runs} == {"ads/cvr"}


def test_a_run_makes_all_partitions_of_an_asset_before_the_next_asset(world: World) -> None:
    run = _plan(world).runs[0]
    assert run.items == [
        (TRAINING_DATA, "2026-01-02"),
        (TRAINING_DATA, "2026-01-03"),
        (MODEL, "2026-01-02"),
        (MODEL, "2026-01-03"),
    ]
    assert set(run.wants) == set(run.items)


def test_runs_that_execute_at_once_share_what_is_missing(world: World) -> None:
    training = [run for run in _plan(world, size=RunSize(100, 3)).runs if MODEL in run.assets]
    assert [len(run.partitions) for run in training] == [1, 1, 2]


def test_immature_partitions_are_blocked_with_what_they_wait_for(world: World) -> None:
    made = _plan(world)
    why = "for ads/impressions 2026-01-06, ads/conversions 2026-01-06..2026-01-07"
    assert _blocked(made, "2026-01-05") == {
        EVALUATION_DATA: why,
        METRICS: why,
        EVALUATION_DATA_2D: "for ads/impressions 2026-01-06, ads/conversions 2026-01-06..2026-01-08",
        METRICS_2D: "for ads/impressions 2026-01-06, ads/conversions 2026-01-06..2026-01-08",
    }
    assert _blocked(made) == {}


def test_training_that_waits_for_events_blocks_all_that_follows_with_their_names(world: World) -> None:
    del world.source[IMPRESSIONS][0]
    made = _plan(world)
    assert _wants(made) == {}
    why = "for ads/impressions 2026-01-01"
    assert _blocked(made)[TRAINING_DATA] == _blocked(made)[MODEL] == why
    assert _blocked(made)[EVALUATION_DATA] == f"its model is waiting {why}"
    assert _blocked(made)[METRICS] == "its evaluation data 1d is waiting for the model of 2026-01-02 (waiting)"


def test_training_that_waits_for_rows_says_until_when(make_model: Callable[..., Model]) -> None:
    world = World(make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d"), known_delay=timedelta(days=3)))
    world.days_over = 2
    for day in range(2):
        world.arrive(IMPRESSIONS, day)
        world.arrive(CONVERSIONS, day)
    made = _plan(world)
    assert made.runs == []
    why = "for rows that become known before 2026-01-06T00:00:00+00:00"
    assert _blocked(made)[TRAINING_DATA] == why
    assert _blocked(made)[MODEL] == f"its training data is waiting {why}"


def test_what_is_made_and_current_is_not_planned(world: World) -> None:
    _make(world, *ALL)
    assert _wants(_plan(world)) == {}
    assert _blocked(_plan(world)) == {}


def test_only_what_is_missing_of_a_partition_is_planned(world: World) -> None:
    _make(world, TRAINING_DATA, EVALUATION_DATA)
    assert _wants(_plan(world)) == dict.fromkeys((MODEL, METRICS, EVALUATION_DATA_2D, METRICS_2D), MISSING)


def test_a_partition_that_failed_is_planned_and_says_in_which_run(world: World) -> None:
    _make(world, TRAINING_DATA, fails=True)
    wants = _wants(_plan(world))
    assert wants[TRAINING_DATA] == Want(Kind.MISSING, "failed on its present inputs, in run r1")
    assert [wants[asset] for asset in ALL[1:]] == [MISSING] * 5


def test_a_partition_that_was_made_and_then_failed_is_stale(world: World) -> None:
    _make(world, *ALL)
    _make(world, EVALUATION_DATA, fails=True)
    assert _wants(_plan(world)) == {
        EVALUATION_DATA: Want(Kind.STALE, "failed on its present inputs, in run r7"),
        METRICS: Want(Kind.STALE, "its evaluation data 1d made again"),
    }


def test_what_other_code_made_is_stale_and_what_is_made_from_it_follows(world: World) -> None:
    _make(world, *ALL)
    world.code[TRAINING_DATA] = "another"
    assert _wants(_plan(world)) == {
        TRAINING_DATA: Want(Kind.STALE, "its notebook or declaration changed"),
        MODEL: Want(Kind.STALE, "its training data made again"),
        METRICS: Want(Kind.STALE, "its model made again"),
        METRICS_2D: Want(Kind.STALE, "its model made again"),
    }


def test_metrics_of_which_both_inputs_are_made_again_name_both(world: World) -> None:
    _make(world, *ALL)
    world.code[MODEL] = world.code[EVALUATION_DATA] = "another"
    assert _wants(_plan(world))[METRICS] == Want(Kind.STALE, "its evaluation data 1d and model made again")


def test_training_data_that_was_made_again_by_hand_makes_the_model_stale(world: World) -> None:
    _make(world, *ALL, TRAINING_DATA)
    wants = _wants(_plan(world))
    assert wants[MODEL] == Want(Kind.STALE, "its training data was made again")
    assert set(wants) == {MODEL, METRICS, METRICS_2D}


def test_corrected_data_is_trained_on_and_evaluated_again(world: World) -> None:
    _make(world, *ALL)
    world.arrive(IMPRESSIONS, 1, says=1)
    assert _wants(_plan(world)) == {
        TRAINING_DATA: Want(Kind.STALE, "its event partitions changed"),
        MODEL: Want(Kind.STALE, "its training data made again"),
        METRICS: Want(Kind.STALE, "its model made again"),
        METRICS_2D: Want(Kind.STALE, "its model made again"),
    }


def test_corrected_data_of_the_evaluation_leaves_the_model_alone(world: World) -> None:
    _make(world, *ALL)
    world.arrive(CONVERSIONS, 4, says=1)
    assert _wants(_plan(world)) == {
        EVALUATION_DATA_2D: Want(Kind.STALE, "its event partitions changed"),
        METRICS_2D: Want(Kind.STALE, "its evaluation data 2d made again"),
    }


def test_a_declaration_that_names_other_events_makes_stale(world: World, make_model: Callable[..., Model]) -> None:
    _make(world, *ALL)
    world.model = make_model(training=("1d", "0d", "1h"), evaluation=("1d", "1d", "2d"))
    assert _wants(_plan(world))[TRAINING_DATA] == Want(Kind.STALE, "its declaration names other event partitions")


def _mixed(world: World) -> None:
    """Of the first partition training is stale and the evaluation after two days missing; the second is missing."""
    _make(world, *ALL[:4])
    world.code[TRAINING_DATA] = "another"


def test_only_what_is_missing_can_be_planned(world: World) -> None:
    _mixed(world)
    made = _plan(world, kinds=[Kind.MISSING])
    assert _wants(made) == {EVALUATION_DATA_2D: MISSING, METRICS_2D: MISSING}
    assert set(_wants(made, of="2026-01-03")) == set(ALL[:4])
    assert _blocked(made, "2026-01-05")


def test_only_what_is_stale_can_be_planned(world: World) -> None:
    _mixed(world)
    made = _plan(world, kinds=[Kind.STALE])
    assert _runs(made) == [((TRAINING_DATA, MODEL), (FIRST,)), ((METRICS,), (FIRST,))]
    assert made.blocked == {}, "what is missing is not asked for"


def test_what_failed_and_is_of_the_other_kind_is_left_out_and_not_forgotten(world: World) -> None:
    _make(world, *ALL)
    _make(world, EVALUATION_DATA, fails=True)
    again = Want(Kind.STALE, "failed on its present inputs, in run r7")
    assert _plan(world, kinds=[Kind.MISSING], span=range(2)) == Plan([], {}, {EVALUATION_DATA: {FIRST: again}})
    assert _plan(world).left_out == {}
    _make(world, TRAINING_DATA, day=2, fails=True)
    left = _plan(world, kinds=[Kind.STALE]).left_out
    assert left == {TRAINING_DATA: {"2026-01-03": Want(Kind.MISSING, "failed on its present inputs, in run r8")}}


def test_only_partitions_in_the_span_are_planned_or_blocked(world: World) -> None:
    made = _plan(world, span=range(2, 4))
    assert {partition for run in made.runs for partition in run.partitions} == {"2026-01-03", "2026-01-04"}
    assert {partition for of in made.blocked.values() for partition in of} == {"2026-01-03", "2026-01-04"}


def test_a_span_after_all_partitions_is_an_empty_plan(world: World) -> None:
    assert _plan(world, span=range(100, 200)) == Plan([], {}, {})


def test_what_needs_an_asset_outside_of_the_selection_is_blocked_with_its_name(world: World) -> None:
    made = _plan(world, assets=[MODEL, METRICS, EVALUATION_DATA])
    assert made.runs == []
    assert _blocked(made) == {
        MODEL: "its training data is missing",
        EVALUATION_DATA: "its model is missing",
        METRICS: "its evaluation data 1d is waiting for the model of 2026-01-02 (due)",
    }


def test_what_exists_outside_of_the_selection_is_used_as_it_is(world: World) -> None:
    _make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    world.code[TRAINING_DATA] = "another"
    made = _plan(world, assets=[METRICS])
    assert _runs(made) == [((METRICS,), (FIRST,))]
    assert _blocked(made) == {}
    assert _blocked(made, "2026-01-03") == {
        METRICS: "its evaluation data 1d is waiting for the model of 2026-01-03 (due)"
    }


def test_what_runs_is_neither_planned_nor_blocked(world: World) -> None:
    world.launch([Step(TRAINING_DATA, 1), Step(MODEL, 1)])
    made = _plan(world)
    assert not {TRAINING_DATA, MODEL} & {*_wants(made), *_blocked(made)}
    assert set(_blocked(made)) == {EVALUATION_DATA, METRICS, EVALUATION_DATA_2D, METRICS_2D}


def test_what_comes_after_something_that_runs_is_blocked_by_its_running(world: World) -> None:
    world.launch([Step(TRAINING_DATA, 1)])
    assert _blocked(_plan(world))[MODEL] == "its training data is running"


def test_what_is_made_and_runs_again_is_used_as_it_is(world: World) -> None:
    _make(world, *ALL[:3])
    world.launch([Step(TRAINING_DATA, 1)])
    assert METRICS in _wants(_plan(world))


def test_a_run_comes_after_all_that_it_needs_where_ranges_overlap(world: World) -> None:
    """A budget cuts the plan anywhere, and must not leave an evaluation without its model."""
    _make(world, TRAINING_DATA, day=2)
    made = _plan(world, size=RunSize(100))
    order = list(_planned(world, made.runs))
    assert order.index(Step(MODEL, 2)) < order.index(Step(EVALUATION_DATA, 2))


def test_a_plan_that_is_executed_to_its_end_leaves_an_empty_one(world: World) -> None:
    _make(world, *ALL, TRAINING_DATA)
    _make(world, TRAINING_DATA, day=2, fails=True)
    world.code[EVALUATION_DATA] = "another"
    world.arrive(CONVERSIONS, 2, says=1)
    first = _plan(world)
    assert {want.kind for run in first.runs for want in run.wants.values()} == set(Kind)
    _execute(world, first)
    assert _plan(world) == Plan([], first.blocked, {})


def test_corrected_evaluation_data_without_a_model_is_planned_with_the_model(world: World) -> None:
    """It was made by hand. Else the next plan would begin anew."""
    _make(world, EVALUATION_DATA)
    world.arrive(CONVERSIONS, 2, says=1)
    _execute(world, _plan(world))
    assert _plan(world).runs == []


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
    made = _plan(world, size=RunSize(at_most, parallelism))
    planned = _planned(world, made.runs)
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
    runs = _plan(world, size=RunSize(at_most, parallelism)).runs
    planned, done = _planned(world, runs), set[Step]()
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
    _execute(world, _plan(world, size=RunSize(at_most, parallelism)))
    assert _plan(world).runs == []


def _run(first: int, *, assets: tuple[str, ...] = (MODEL,), count: int = 1) -> PlannedRun:
    partitions = tuple(f"2026-01-{first + number:02}" for number in range(count))
    return PlannedRun("ads/cvr", assets, partitions, {}, datetime(2026, 1, first, tzinfo=UTC))


def test_runs_of_equal_age_keep_their_order_and_older_ones_come_first() -> None:
    late, early, of_training, of_evaluation = _run(9), _run(3), _run(5), _run(5, assets=(METRICS,))
    assert in_order([late, of_training, of_evaluation, early]) == [early, of_training, of_evaluation, late]


def test_the_repeated_hour_comes_after_the_hour_that_it_repeats(make_model: Callable[..., Model]) -> None:
    model = make_model(
        training=("2h", "0h", "1h"), evaluation=("1h", "1h"), every="hour", timezone="Europe/Berlin", start="2025-10-26"
    )
    world = World(model)
    world.days_over = 5
    for hour in range(5):
        world.arrive(IMPRESSIONS, hour)
        world.arrive(CONVERSIONS, hour)
    runs = [run for run in _plan(world, size=RunSize(1)).runs if MODEL in run.assets]
    indices = [model.partitions.index_of(run.partitions[0]) for run in runs]
    assert indices == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("1 run", Budget(runs=1)),
        ("50 runs", Budget(runs=50)),
        ("90s", Budget(seconds=90)),
        ("30m", Budget(seconds=1800)),
        ("2h", Budget(seconds=7200)),
        ("1d", Budget(seconds=86400)),
    ],
)
def test_a_budget_is_a_number_of_runs_or_a_time(text: str, budget: Budget) -> None:
    assert Budget.parse(text, key="budget") == budget


@pytest.mark.parametrize(
    "value",
    ["", "0 runs", "runs", "50", "50runs", "-1 runs", "1.5h", "0s", "0m", "30 m", "ten runs", 50, None, ["1 run"]],
)
def test_another_budget_is_refused_with_key_and_value(value: object) -> None:
    with pytest.raises(SpecError) as refused:
        Budget.parse(value, key="nightly.budget")
    assert (refused.value.key, refused.value.value) == ("nightly.budget", value)
    assert str(refused.value) == (
        f"nightly.budget: {value!r} is not accepted; write a number of runs or a time, such as `50 runs` or 30m"
    )


def test_an_estimate_counts_each_partition_of_each_asset() -> None:
    assert estimate(_run(1, assets=(TRAINING_DATA, MODEL), count=3), {TRAINING_DATA: 2.0, MODEL: 5.0}) == 21.0
    assert estimate(_run(1, assets=(TRAINING_DATA, MODEL), count=3), {MODEL: 5.0}) == 15.0


@pytest.mark.parametrize(
    ("budget", "allowed"),
    [
        (Budget(), 4),
        (Budget(runs=1), 1),
        (Budget(runs=9), 4),
        (Budget(seconds=9.9), 0),
        (Budget(seconds=10), 1),
        (Budget(seconds=59), 2),
        (Budget(seconds=60), 3),
        (Budget(seconds=1000), 4),
        (Budget(runs=2, seconds=1000), 2),
    ],
)
def test_a_budget_allows_the_first_runs(budget: Budget, allowed: int) -> None:
    runs = [_run(1), _run(2, count=2), _run(4, count=3), _run(7)]
    assert budget.cut(runs, {MODEL: 10.0}) == runs[:allowed]


def test_a_cheap_run_after_one_that_is_too_much_is_not_pulled_forward() -> None:
    runs = [_run(1), _run(2, count=9), _run(11)]
    assert Budget(seconds=50).cut(runs, {MODEL: 10.0}) == runs[:1]


def test_what_has_no_history_costs_nothing() -> None:
    runs = [_run(1), _run(2)]
    assert Budget(seconds=1).cut(runs, {}) == runs


@given(st.lists(st.integers(1, 9), max_size=8), st.integers(0, 10), st.floats(0, 100))
def test_a_budget_allows_as_many_of_the_first_runs_as_fit(counts: list[int], most: int, seconds: float) -> None:
    runs = [_run(1, count=count) for count in counts]
    allowed = Budget(runs=most, seconds=seconds).cut(runs, {MODEL: 2.5})
    assert allowed == runs[: len(allowed)]
    fits = [n for n in range(len(runs) + 1) if n <= most and sum(counts[:n]) * 2.5 <= seconds]
    assert len(allowed) == max(fits)


def test_states_are_met_that_the_cases_above_name(world: World) -> None:
    """The world of these tests has what its description says."""
    found = statuses(world.model, world.facts(), as_of=world.now)
    assert [status.state for status in found[TRAINING_DATA].values()] == [State.DUE] * 4
    assert list(found[TRAINING_DATA]) == ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05"]


def _lose(world: World, *assets: str, day: int = 1, **changes: Any) -> Plan:
    """The plan once the store has lost a day of some assets."""
    key = world.key(day)
    facts = replace(world.facts(), lost={asset: {key: f"/store/{asset}/{key}"} for asset in assets})
    found = statuses(world.model, facts, as_of=world.now)
    options = {"assets": list(world.code), "size": RunSize(world.partitions_per_run), "only": _of_day(key), **changes}
    return plan(world.model, facts, found, **options)


def _of_day(key: str) -> Callable[[str, str], bool]:
    return lambda _, partition: partition == key


def _lost(asset: str) -> Want:
    return Want(Kind.MISSING, f"recorded, but lost from the store: /store/{asset}/{FIRST}")


@pytest.fixture
def finished(world: World) -> World:
    """All of the first day is made."""
    _make(world, *ALL)
    return world


def test_all_that_is_lost_is_owed_with_its_reason(finished: World) -> None:
    assert _plan(finished, only=_of_day(FIRST)).runs == []
    assert _wants(_lose(finished, *ALL)) == {asset: _lost(asset) for asset in ALL}


@pytest.mark.parametrize(
    ("asset", "follows"),
    [
        (TRAINING_DATA, {MODEL: "its training data made again", **dict.fromkeys((METRICS, METRICS_2D), "its model made again")}),
        (MODEL, dict.fromkeys((METRICS, METRICS_2D), "its model made again")),
        (EVALUATION_DATA, {METRICS: "its evaluation data 1d made again"}),
        (METRICS, {}),
    ],
)  # fmt: skip
def test_what_is_made_of_what_was_lost_is_made_again_after_it(
    asset: str, follows: dict[str, str], finished: World
) -> None:
    made = _lose(finished, asset)
    assert _wants(made) == {asset: _lost(asset), **{one: Want(Kind.STALE, why) for one, why in follows.items()}}
    assert _wants(_lose(finished, asset, kinds=[Kind.MISSING])) == {asset: _lost(asset)}
    assert not _wants(_lose(finished, asset, kinds=[Kind.STALE]))


def test_what_needs_something_that_is_lost_is_blocked_unless_that_is_made_too(world: World) -> None:
    _make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    made = _lose(world, MODEL, assets=[METRICS])
    assert _blocked(made) == {METRICS: f"its model is recorded, but lost from the store: /store/{MODEL}/{FIRST}"}
    assert _wants(_lose(world, MODEL, assets=[MODEL, METRICS])) == {MODEL: _lost(MODEL), METRICS: MISSING}


def test_what_is_lost_and_whose_events_have_gone_cannot_be_made(finished: World) -> None:
    del finished.source[IMPRESSIONS][0]
    made = _lose(finished, TRAINING_DATA)
    assert TRAINING_DATA not in _wants(made)
    words = f"{_lost(TRAINING_DATA).why}; it waits for ads/impressions 2026-01-01"
    assert _blocked(made) == {TRAINING_DATA: words}


def test_what_is_lost_and_being_made_is_not_planned(finished: World) -> None:
    finished.launch([Step(MODEL, 1)])
    assert MODEL not in _wants(_lose(finished, MODEL))


@pytest.mark.parametrize("asset", ALL)
def test_nothing_that_is_lost_is_due(asset: str, finished: World) -> None:
    facts = replace(finished.facts(), lost={asset: {FIRST: "/store"}})
    found = statuses(finished.model, facts, as_of=finished.now)
    assert found[asset][FIRST].state is State.LOST
    requests = due(finished.model, facts, found, size=RunSize(30))
    assert not any(FIRST in request.partitions for request in requests)


@given(models(), st.integers(4, DAYS), st.data())
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
def test_whatever_is_lost_is_made_again_and_then_nothing_is_owed(
    model: Model, days_over: int, data: st.DataObject
) -> None:
    world = _reach(model, days_over, True, [])
    before, made = _plan(world), sorted(world.made, key=lambda step: (step.asset, step.day))
    assert before.runs == []
    lost = data.draw(st.sets(st.sampled_from(made))) if made else set()
    by_asset: dict[str, dict[str, str]] = {}
    for step in lost:
        by_asset.setdefault(step.asset, {})[world.key(step.day)] = "/store"
    facts = replace(world.facts(), lost=by_asset)
    found = statuses(model, facts, as_of=world.now)
    assert due(model, facts, found, size=RunSize(30)) == world.requests() == []
    again = plan(model, facts, found, assets=list(world.code), size=RunSize(30))
    planned = _planned(world, again.runs)
    assert {step for step, want in planned.items() if want.kind is Kind.MISSING} == lost
    assert again.blocked == before.blocked
    _execute(world, again)
    assert _plan(world) == before
