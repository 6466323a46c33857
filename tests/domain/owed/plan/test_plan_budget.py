"""Runs in order of age, what they are estimated to cost, and how many of the first a budget allows."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.errors import SpecError
from ml_assets.domain.owed.plan import Budget, PlannedRun, estimate, in_order
from ml_assets.domain.owed.runs import RunSize
from tests.domain.owed.plan.planned import CONVERSIONS, IMPRESSIONS, METRICS, MODEL, TRAINING_DATA, plan_of
from tests.domain.world import World


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
    runs = [run for run in plan_of(world, size=RunSize(1)).runs if MODEL in run.assets]
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
