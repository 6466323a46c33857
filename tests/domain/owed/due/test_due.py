"""What is due, waiting, running, failed or outdated, case by case; `test_due_simulation.py` holds all cases at once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.due import State, Status, basis, statuses
from ml_assets.domain.owed.facts import Attempt, Facts, Made, metrics_inputs, model_inputs
from tests.domain.owed.due.judged import (
    CONVERSIONS,
    EVALUATION_DATA,
    IMPRESSIONS,
    METRICS,
    MODEL,
    TRAINING_DATA,
    make,
    requested,
)
from tests.domain.steps import Step
from tests.domain.world import DAY_0, World


def _statuses(world: World, asset: str) -> dict[str, Status]:
    return statuses(world.model, world.facts(), as_of=DAY_0 + timedelta(days=world.days_over))[asset]


def _status(world: World, asset: str) -> tuple[State, str]:
    """State and cause of 2026-01-02."""
    status = _statuses(world, asset)["2026-01-02"]
    return status.state, status.why


def test_nothing_is_expected_before_the_first_cutoff(world: World) -> None:
    world.days_over = 1
    found = statuses(world.model, world.facts(), as_of=DAY_0 + timedelta(days=1))
    assert list(found) == list(world.code)
    assert not any(found.values())


def test_at_the_first_cutoff_one_run_makes_training_data_and_model(world: World) -> None:
    assert _status(world, TRAINING_DATA) == (State.DUE, "")
    assert _status(world, MODEL) == (State.DUE, "after its training data")
    assert requested(world) == [((TRAINING_DATA, MODEL), ("2026-01-02",))]


def test_a_missing_event_partition_is_waited_for_by_name(world: World) -> None:
    del world.source[CONVERSIONS][1]
    waiting = _statuses(world, TRAINING_DATA)["2026-01-02"]
    assert waiting == Status(State.WAITING, "for ads/conversions 2026-01-02", missing={CONVERSIONS: (1,)})
    assert _status(world, MODEL) == (State.WAITING, "for ads/conversions 2026-01-02")
    assert requested(world) == []


def test_an_evaluation_waits_for_its_model_and_says_how_that_is(world: World) -> None:
    assert _status(world, EVALUATION_DATA) == (State.WAITING, "for the model of 2026-01-02 (due)")
    make(world, TRAINING_DATA)
    make(world, MODEL, fails=True)
    assert _status(world, EVALUATION_DATA) == (State.WAITING, "for the model of 2026-01-02 (failed)")
    assert _status(world, METRICS) == (State.WAITING, "for the model of 2026-01-02 (failed)")


def test_each_horizon_waits_for_its_own_outcomes(world: World) -> None:
    make(world, TRAINING_DATA, MODEL)
    assert _status(world, EVALUATION_DATA) == (State.DUE, "")
    assert _status(world, METRICS) == (State.DUE, "after its evaluation data")
    missing = (State.WAITING, "for ads/conversions 2026-01-05")
    assert _status(world, "ads/cvr/evaluation_data_2d") == _status(world, "ads/cvr/metrics_2d") == missing
    assert requested(world) == [((EVALUATION_DATA, METRICS), ("2026-01-02",))]


def test_what_was_made_stays_done_when_its_events_are_gone(world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS)
    world.source[CONVERSIONS].clear()
    assert {_status(world, asset)[0] for asset in (TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS)} == {State.DONE}


def test_what_is_running_is_not_due(world: World) -> None:
    world.launch([Step(TRAINING_DATA, 1), Step(MODEL, 1)])
    assert _status(world, TRAINING_DATA) == _status(world, MODEL) == (State.RUNNING, "")
    assert _status(world, EVALUATION_DATA) == (State.WAITING, "for the model of 2026-01-02 (running)")
    assert requested(world) == []


def test_a_model_waits_for_training_data_that_runs_alone(world: World) -> None:
    world.launch([Step(TRAINING_DATA, 1)])
    assert _status(world, MODEL) == (State.WAITING, "for its training data (running)")


@pytest.mark.parametrize("change", ["inputs", "code"])
def test_a_failure_is_not_repeated_until_its_inputs_or_its_code_change(world: World, change: str) -> None:
    make(world, TRAINING_DATA, fails=True)
    assert _status(world, TRAINING_DATA) == (State.FAILED, "on its present inputs, in run r1")
    assert _status(world, MODEL) == (State.WAITING, "for its training data (failed)")
    assert requested(world) == []
    if change == "inputs":
        world.arrive(IMPRESSIONS, 0)
    else:
        world.code[TRAINING_DATA] = "another"
    assert requested(world) == [((TRAINING_DATA, MODEL), ("2026-01-02",))]


def test_a_failed_evaluation_keeps_its_metrics_waiting(world: World) -> None:
    make(world, TRAINING_DATA, MODEL)
    make(world, EVALUATION_DATA, fails=True)
    assert _status(world, EVALUATION_DATA) == (State.FAILED, "on its present inputs, in run r3")
    assert _status(world, METRICS) == (State.WAITING, "for its evaluation data (failed)")


def test_a_launch_by_hand_that_is_refused_leaves_no_trace(world: World) -> None:
    before = world.facts()
    for refused in (MODEL, METRICS, "ads/cvr/evaluation_data_2d"):
        world.launch([Step(refused, 1)])
        world.finish(world.runs[0])
    assert world.facts() == before


def test_corrected_events_are_evaluated_again_and_never_trained_on(world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS)
    for log in (IMPRESSIONS, CONVERSIONS):
        for day in range(4):
            world.arrive(log, day, says=1)
    assert _status(world, TRAINING_DATA) == (State.OUTDATED, "its event partitions changed")
    assert _status(world, MODEL) == (State.DONE, "")
    assert _status(world, EVALUATION_DATA) == (State.DUE, "its event partitions changed")
    assert _status(world, METRICS) == (State.WAITING, "after its evaluation data")
    assert requested(world) == [((EVALUATION_DATA,), ("2026-01-02",))]


@pytest.mark.parametrize(("says", "metrics"), [(0, (State.DONE, "")), (1, (State.DUE, "its inputs changed"))])
def test_metrics_follow_only_where_the_rows_changed(world: World, says: int, metrics: tuple[State, str]) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS)
    world.arrive(CONVERSIONS, 2, says=says)
    make(world, EVALUATION_DATA)
    assert _status(world, METRICS) == metrics


@pytest.mark.parametrize("asset", [TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS])
def test_another_notebook_makes_a_partition_outdated_and_never_due(world: World, asset: str) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS)
    world.code[asset] = "another"
    assert _status(world, asset) == (State.OUTDATED, "its notebook or declaration changed")
    assert requested(world) == []


def test_training_data_made_again_by_hand_makes_the_model_outdated_and_never_due(world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS, TRAINING_DATA)
    assert _status(world, MODEL) == (State.OUTDATED, "its training data was made again")
    assert requested(world) == []


def test_a_model_made_again_by_hand_is_judged_again(world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS, MODEL)
    assert _status(world, EVALUATION_DATA) == (State.DONE, "")
    assert requested(world) == [((METRICS,), ("2026-01-02",))]


def test_metrics_of_evaluation_data_made_by_hand_wait_for_the_model(world: World) -> None:
    make(world, EVALUATION_DATA)
    assert _status(world, EVALUATION_DATA) == (State.DONE, "")
    assert _status(world, METRICS) == (State.WAITING, "after its model")
    world.launch([Step(TRAINING_DATA, 1), Step(MODEL, 1)])
    assert _status(world, METRICS) == (State.WAITING, "for its model (running)")
    world.finish(world.runs[0])
    assert requested(world) == [((METRICS,), ("2026-01-02",))]


def test_metrics_that_run_alone_are_running(world: World) -> None:
    make(world, TRAINING_DATA, MODEL)
    world.launch([Step(METRICS, 1)])
    assert _status(world, METRICS) == (State.RUNNING, "")


def test_a_failed_attempt_on_what_is_made_already_shows_as_failed(world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS)
    make(world, EVALUATION_DATA, fails=True)
    assert _status(world, EVALUATION_DATA) == (State.FAILED, "on its present inputs, in run r5")
    assert requested(world) == []


def test_nothing_is_expected_after_the_end_of_the_log(make_model: Callable[..., Model]) -> None:
    model = make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d"), end="2026-01-04")
    found = statuses(model, Facts({}), as_of=DAY_0 + timedelta(days=30))
    assert list(found[MODEL]) == ["2026-01-02", "2026-01-03"]


def test_inputs_of_a_model_are_one_materialization_and_those_of_metrics_the_rows_and_the_model() -> None:
    one, rewritten, other = Made(1, "rows", "x", "x"), Made(2, "rows", "y", "y"), Made(1, "others", "x", "x")
    assert model_inputs(one) == model_inputs(other) != model_inputs(rewritten)
    assert metrics_inputs(one, one) == metrics_inputs(rewritten, other) != metrics_inputs(other, one)
    assert metrics_inputs(one, one) != metrics_inputs(one, rewritten)


def test_a_declaration_that_names_other_event_partitions_makes_an_evaluation_outdated_not_due(
    world: World, make_model: Callable[..., Model]
) -> None:
    for asset in (TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS):
        make(world, asset)
    longer = make_model(training=("2d", "0d", "1d"), evaluation=("2d", "1d", "2d"))
    for log in (IMPRESSIONS, CONVERSIONS):
        world.arrive(log, 4)
    world.model = longer
    assert _status(world, EVALUATION_DATA) == (State.OUTDATED, "its declaration names other event partitions")
    assert [assets for assets, _ in requested(world) if EVALUATION_DATA in assets] == []


def test_an_evaluation_that_failed_is_tried_again_when_its_training_data_was_made_again(world: World) -> None:
    """The check of its rows reads both."""
    for asset in (TRAINING_DATA, MODEL):
        make(world, asset)
    make(world, EVALUATION_DATA, fails=True)
    assert _status(world, EVALUATION_DATA)[0] is State.FAILED
    make(world, TRAINING_DATA)
    assert _status(world, EVALUATION_DATA)[0] is State.DUE
    make(world, EVALUATION_DATA, fails=True)
    assert _status(world, EVALUATION_DATA)[0] is State.FAILED


def test_statuses_change_with_the_clock_exactly_when_their_basis_does(
    world: World, make_model: Callable[..., Model]
) -> None:
    delayed = make_model(
        training=("2d", "0d", "1d"), evaluation=("1d", "1d", "2d"), outcomes={"known_delay": timedelta(hours=5)}
    )
    facts = world.facts()
    instants = [DAY_0 + timedelta(minutes=20 * number) for number in range(6 * 72)]
    found = [(basis(delayed, facts, as_of=at), statuses(delayed, facts, as_of=at)) for at in instants]
    changes = [(before[0] != after[0], before[1] != after[1]) for before, after in pairwise(found)]
    assert all(of_basis for of_basis, of_statuses in changes if of_statuses)
    assert sum(of_statuses for _, of_statuses in changes) >= 4


@pytest.mark.parametrize("kind", ["arrived", "made", "failed", "running", "code"])
def test_the_basis_holds_every_fact(world: World, kind: str) -> None:
    make(world, TRAINING_DATA, MODEL)
    facts, at = world.facts(), DAY_0 + timedelta(days=2)
    changed: dict[str, Any] = {
        "arrived": {IMPRESSIONS: {**facts.arrived[IMPRESSIONS], "2026-01-01": "another"}},
        "made": {MODEL: {}},
        "failed": {TRAINING_DATA: {"2026-01-02": Attempt("inputs", "code")}},
        "running": {MODEL: frozenset({"2026-01-02"})},
        "code": {MODEL: "another"},
    }
    other = replace(facts, **{kind: {**getattr(facts, kind), **changed[kind]}})
    assert basis(world.model, other, as_of=at) != basis(world.model, facts, as_of=at)
    assert basis(world.model, world.facts(), as_of=at) == basis(world.model, facts, as_of=at)


def test_the_basis_tells_attempts_apart_that_compare_equal(world: World) -> None:
    facts, at = world.facts(), DAY_0 + timedelta(days=2)
    one, other = (
        replace(facts, failed={EVALUATION_DATA: {"2026-01-02": Attempt("inputs", "code", "run", number)}})
        for number in (5, 7)
    )
    assert one == other
    assert basis(world.model, one, as_of=at) != basis(world.model, other, as_of=at)
