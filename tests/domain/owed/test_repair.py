"""What a repair launches, case by case in the world of `test_plan`: five days are over, and nothing is made yet."""

from collections.abc import Callable, Mapping
from datetime import time, timedelta

import pytest

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.errors import SpecError
from ml_assets.domain.owed.due import statuses
from ml_assets.domain.owed.plan import Budget, PlannedRun
from ml_assets.domain.owed.repair import Repair, repairs
from ml_assets.domain.owed.runs import RunSize
from tests.domain.steps import Step
from tests.domain.world import World

TRAINING_DATA, MODEL = "ads/cvr/training_data", "ads/cvr/model"
EVALUATION_DATA, METRICS = "ads/cvr/evaluation_data_1d", "ads/cvr/metrics_1d"
EVALUATION_DATA_2D, METRICS_2D = "ads/cvr/evaluation_data_2d", "ads/cvr/metrics_2d"
TRAINING, EVALUATION = (TRAINING_DATA, MODEL), (EVALUATION_DATA, METRICS)
EVALUATION_1D = (EVALUATION_DATA, METRICS)
EVALUATION_2D = (EVALUATION_DATA_2D, METRICS_2D)
IMPRESSIONS, CONVERSIONS = "ads/impressions", "ads/conversions"
Runs = list[tuple[tuple[str, ...], tuple[str, ...]]]


@pytest.fixture
def world(make_model: Callable[..., Model]) -> World:
    """Training reads two days, so that of five there are the models of 2 to 5 January, and three evaluations."""
    world = World(make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d", "2d")))
    world.days_over = 5
    for day in range(5):
        world.arrive(IMPRESSIONS, day)
        world.arrive(CONVERSIONS, day)
    return world


def repaired(
    world: World,
    *,
    lookback: str = "30d",
    budget: str = "50 runs",
    seconds: Mapping[str, float] | None = None,
    later: timedelta = timedelta(0),
) -> list[PlannedRun]:
    facts, as_of = world.facts(), world.now + later
    runs, _ = repairs(
        world.model,
        facts,
        statuses(world.model, facts, as_of=as_of),
        Repair.parse("03:00", lookback, budget),
        as_of=as_of,
        size=RunSize(world.partitions_per_run),
        seconds=seconds or {},
    )
    return runs


def shown(runs: list[PlannedRun]) -> Runs:
    return [(run.assets, run.partitions) for run in runs]


def make(world: World, *assets: str, day: int, fails: bool = False) -> None:
    """Make a partition of some assets, or try to."""
    for asset in assets:
        run = world.launch([Step(asset, day)])
        world.advance(run)
        world.advance(run, fails=fails)


def make_all(world: World) -> None:
    """Make whatever can be made."""
    while requests := world.requests():
        for request in requests:
            world.finish(world.launch(world.steps(request)))


def test_a_declaration_is_read() -> None:
    assert Repair.parse("03:05", "30d", "50 runs") == Repair(time(3, 5), Duration(30, "d"), Budget(runs=50))
    assert Repair.parse("23:59", "12h", "30m") == Repair(time(23, 59), Duration(12, "h"), Budget(seconds=1800))


@pytest.mark.parametrize("at", [180, "3:00", "25:00", "03:60", "3 am", "03:00:00", None])
def test_a_time_that_is_none_is_refused_by_key_and_value_with_what_is_right(at: object) -> None:
    with pytest.raises(SpecError) as refusal:
        Repair.parse(at, "30d", "50 runs")
    assert str(refusal.value) == f'repair.at: {at!r} is not accepted; write a time of day such as "03:00", in quotes'


@pytest.mark.parametrize("at", ["0300Z", "03+09", "03-01", "T0300", "03.00"])
def test_a_time_that_is_written_otherwise_or_has_a_zone_is_refused(at: str) -> None:
    with pytest.raises(SpecError, match="repair.at"):
        Repair.parse(at, "30d", "50 runs")


@pytest.mark.parametrize("lookback", [30, "30", "0d", "30 days", None])
def test_a_lookback_that_is_no_duration_is_refused_by_key_and_value_with_what_is_right(lookback: object) -> None:
    with pytest.raises(SpecError) as refusal:
        Repair.parse("03:00", lookback, "50 runs")
    assert str(refusal.value).startswith(f"repair.lookback: {lookback!r} is not accepted; write a whole number and a")


@pytest.mark.parametrize("budget", ["many", 50, "50", "0 runs", "-1 runs", "0s", "runs", None])
def test_a_budget_that_is_none_is_refused_by_key_and_value_with_what_is_right(budget: object) -> None:
    with pytest.raises(SpecError) as refusal:
        Repair.parse("03:00", "30d", budget)
    expected = "write a number of runs or a time, such as `50 runs` or 30m"
    assert str(refusal.value) == f"repair.budget: {budget!r} is not accepted; {expected}"


def test_what_is_missing_is_made_oldest_first(world: World) -> None:
    for day in (1, 2):
        make(world, *TRAINING, day=day)
    assert shown(repaired(world)) == [
        (EVALUATION, ("2026-01-02", "2026-01-03")),
        (EVALUATION_2D, ("2026-01-02",)),
        (TRAINING, ("2026-01-04", "2026-01-05")),
    ]


def test_what_failed_is_tried_again_and_nothing_else(world: World) -> None:
    make_all(world)
    make(world, EVALUATION_DATA, day=2, fails=True)
    make(world, MODEL, day=4, fails=True)
    assert shown(repaired(world)) == [((EVALUATION_DATA,), ("2026-01-03",)), ((MODEL,), ("2026-01-05",))]


def test_training_data_that_failed_at_first_is_made_with_its_model(world: World) -> None:
    make(world, TRAINING_DATA, day=1, fails=True)
    for day in (2, 3, 4):
        make(world, *TRAINING, day=day)
    make_all(world)
    assert shown(repaired(world)) == [(TRAINING, ("2026-01-02",))]


def test_an_evaluation_waits_for_the_model_that_another_run_makes(world: World) -> None:
    make(world, TRAINING_DATA, day=1, fails=True)
    first = repaired(world)
    assert {run.assets for run in first} == {TRAINING}
    for run in first:
        calendar = world.model.partitions
        world.finish(world.launch([Step(asset, calendar.index_of(partition)) for asset, partition in run.items]))
    assert shown(repaired(world)) == [
        (EVALUATION, ("2026-01-02", "2026-01-03")),
        (EVALUATION_2D, ("2026-01-02",)),
    ]


def test_an_evaluation_waits_for_no_model_but_its_own(world: World) -> None:
    make(world, *TRAINING, day=1)
    make(world, MODEL, day=1, fails=True)
    make(world, *TRAINING, day=2)
    assert shown(repaired(world)) == [
        ((MODEL,), ("2026-01-02",)),
        (EVALUATION, ("2026-01-03",)),
        (TRAINING, ("2026-01-04", "2026-01-05")),
    ]


def test_what_other_code_made_stays_as_it_is(world: World) -> None:
    make_all(world)
    world.code = dict.fromkeys(world.code, "another")
    assert "outdated" in {status.state for status in _found(world, MODEL)}
    assert repaired(world) == []


def test_what_was_trained_on_data_corrected_since_stays_as_it_is(world: World) -> None:
    make_all(world)
    world.arrive(IMPRESSIONS, 1, says=1)
    assert "outdated" in {status.state for status in _found(world, TRAINING_DATA)}
    assert repaired(world) == []


def test_what_is_outdated_does_not_hinder_what_is_missing(world: World) -> None:
    make(world, *TRAINING, day=1)
    world.code[MODEL] = "another"
    assert shown(repaired(world)) == [
        (EVALUATION_1D, ("2026-01-02",)),
        (EVALUATION_2D, ("2026-01-02",)),
        (TRAINING, ("2026-01-03", "2026-01-04", "2026-01-05")),
    ]


def _found(world: World, asset: str) -> list:
    return list(statuses(world.model, world.facts(), as_of=world.now)[asset].values())


def test_nothing_before_the_lookback_is_made(world: World) -> None:
    assert shown(repaired(world, lookback="2d")) == [(TRAINING, ("2026-01-04", "2026-01-05"))]
    assert shown(repaired(world, lookback="1d")) == [(TRAINING, ("2026-01-05",))]
    assert repaired(world, lookback="1h", later=timedelta(hours=3)) == []


def test_the_lookback_is_reckoned_from_the_end_of_a_partition(world: World) -> None:
    three = timedelta(hours=3)
    assert shown(repaired(world, lookback="2h", later=three)) == []
    assert shown(repaired(world, lookback="4h", later=three)) == [(TRAINING, ("2026-01-05",))]


def test_what_failed_before_the_lookback_is_not_tried_again(world: World) -> None:
    make_all(world)
    make(world, MODEL, day=1, fails=True)
    assert repaired(world, lookback="2d") == []
    assert shown(repaired(world, lookback="4d")) == [((MODEL,), ("2026-01-02",))]


def test_the_budget_of_runs_takes_the_oldest(world: World) -> None:
    assert shown(repaired(world)) == [
        (TRAINING, ("2026-01-02", "2026-01-03")),
        (TRAINING, ("2026-01-04", "2026-01-05")),
    ]
    assert shown(repaired(world, budget="1 run")) == [(TRAINING, ("2026-01-02", "2026-01-03"))]


@pytest.mark.parametrize(("budget", "runs"), [("60s", 1), ("119s", 1), ("2m", 2)])
def test_the_budget_of_time_is_what_partitions_have_taken(world: World, budget: str, runs: int) -> None:
    # Two partitions of both: a minute for each run.
    assert len(repaired(world, budget=budget, seconds={TRAINING_DATA: 20, MODEL: 10})) == runs


def test_the_budget_is_not_spent_on_runs_that_are_left_for_later(world: World) -> None:
    seconds = dict.fromkeys((*EVALUATION, *EVALUATION_2D), 1000.0)
    assert [run.assets for run in repaired(world, budget="1s", seconds=seconds)] == [TRAINING, TRAINING]
    assert [run.assets for run in repaired(world, budget="2 runs")] == [TRAINING, TRAINING]


def test_what_runs_is_not_made_a_second_time(world: World) -> None:
    world.launch([Step(asset, day) for asset in TRAINING for day in (1, 2)])
    assert shown(repaired(world)) == [(TRAINING, ("2026-01-04", "2026-01-05"))]


def test_what_cannot_be_made_is_left_out(world: World) -> None:
    del world.source[IMPRESSIONS][0]
    assert shown(repaired(world)) == [(TRAINING, ("2026-01-03", "2026-01-04", "2026-01-05"))]


def test_where_all_is_made_nothing_is_to_do(world: World) -> None:
    make_all(world)
    assert repaired(world) == []


def test_before_the_first_partition_is_over_nothing_is_to_do(make_model: Callable[..., Model]) -> None:
    assert repaired(World(make_model())) == []
