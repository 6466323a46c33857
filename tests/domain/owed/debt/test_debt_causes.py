"""Evaluation debt of what failed, is stale or was lost, each with its cause."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.debt import Cause, Debt, Entry, LateChange, debt
from ml_assets.domain.owed.due import statuses
from tests.domain.owed.debt.owed import (
    CHAIN,
    CONVERSIONS,
    EVALUATION_DATA,
    IMPRESSIONS,
    MATURE,
    METRICS,
    MODEL,
    ONE_DAY,
    TRAINING_DATA,
    TWO_DAYS,
    cause_of,
    debt_of,
    entry_of,
    make,
)
from tests.domain.steps import Step
from tests.domain.world import World

MakeModel = Callable[..., Model]
FIRST = "2026-01-02"


@pytest.mark.parametrize("made", range(4))
def test_a_metric_fails_with_what_it_needs_and_names_the_run(world: World, made: int) -> None:
    make(world, *CHAIN[:made])
    make(world, CHAIN[made], fails=True)
    why = f"{CHAIN[made]} failed"
    assert entry_of(world) == Entry("2026-01-02", ONE_DAY, Cause.FAILED, MATURE, why, CHAIN[made], f"r{made + 1}")


def test_a_failed_training_is_told_before_anything_matures(world: World) -> None:
    make(world, TRAINING_DATA, fails=True)
    assert cause_of(world, TWO_DAYS) == (Cause.FAILED, "ads/cvr/training_data failed")
    assert debt_of(world).outdated == {}, "what was never made is not outdated"


def test_evaluation_data_that_cannot_be_made_again_is_a_failure_of_its_metric(judged: World) -> None:
    make(judged, EVALUATION_DATA, fails=True)
    assert cause_of(judged) == (Cause.FAILED, "ads/cvr/evaluation_data_1d failed")


@pytest.mark.parametrize("asset", [TRAINING_DATA, MODEL])
def test_a_model_that_could_not_be_made_again_hides_nothing_of_the_older_one(judged: World, asset: str) -> None:
    make(judged, asset, fails=True)
    assert cause_of(judged) == (Cause.DONE, "")
    assert debt_of(judged).outdated == {
        asset: {"2026-01-02": "to make it again failed on its present inputs, in run r5"},
    }
    judged.days_over = 5
    for log in (IMPRESSIONS, CONVERSIONS):
        judged.arrive(log, 4)
    assert cause_of(judged, TWO_DAYS) == (Cause.DUE, "ads/cvr/evaluation_data_2d is due"), "the older one can be judged"


def test_the_training_data_of_a_model_that_was_never_made_may_fail_to_be_made_again(world: World) -> None:
    make(world, TRAINING_DATA)
    make(world, TRAINING_DATA, fails=True)
    assert cause_of(world) == (Cause.DUE, "ads/cvr/model is due")


def test_a_metric_of_a_model_that_was_made_again_is_stale(judged: World) -> None:
    make(judged, MODEL)
    assert entry_of(judged) == Entry("2026-01-02", ONE_DAY, Cause.STALE, MATURE, "its model was made again")
    make(judged, METRICS)
    assert cause_of(judged) == (Cause.DONE, "")


def test_a_metric_is_stale_of_a_model_that_was_made_again_while_it_was_computed(world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    run = world.launch([Step(METRICS, 1)])
    world.advance(run)
    make(world, MODEL)
    world.finish(run)
    assert cause_of(world) == (Cause.STALE, "its model was made again")


def test_a_metric_on_corrected_events_is_stale_before_and_after_its_evaluation_data_was_made_again(
    judged: World,
) -> None:
    judged.arrive(CONVERSIONS, 3, says=1)
    assert cause_of(judged) == (Cause.STALE, "the event partitions of its evaluation data changed")
    make(judged, EVALUATION_DATA)
    assert cause_of(judged) == (Cause.STALE, "the rows of its evaluation data changed")
    make(judged, MODEL)
    assert cause_of(judged) == (
        Cause.STALE,
        "its model was made again and the rows of its evaluation data changed",
    )


def test_a_metric_on_events_that_were_rewritten_as_they_were_is_not_stale(judged: World) -> None:
    judged.arrive(CONVERSIONS, 3, says=0)
    make(judged, EVALUATION_DATA)
    assert cause_of(judged) == (Cause.DONE, "")
    make(judged, MODEL)
    assert cause_of(judged) == (Cause.STALE, "its model was made again"), "and not its evaluation data"


def test_a_metric_by_another_notebook_is_stale_and_says_whose_it_is(judged: World) -> None:
    judged.code[METRICS] = "another"
    assert cause_of(judged) == (Cause.STALE, "its notebook or declaration changed")
    judged.code[EVALUATION_DATA] = "another"
    data = "the notebook or declaration of its evaluation data changed"
    assert cause_of(judged) == (Cause.STALE, f"{data} and its notebook or declaration changed")
    judged.code[METRICS] = f"{METRICS} v0"
    assert cause_of(judged) == (Cause.STALE, data)


def test_a_metric_whose_making_again_was_killed_stays_what_it_was(judged: World) -> None:
    run = judged.launch([Step(METRICS, 1)])
    judged.advance(run)
    judged.kill(run)
    assert cause_of(judged) == (Cause.DONE, "")


def test_a_metric_of_which_it_is_not_known_what_it_was_made_from_is_stale(
    judged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where an older run noted a beginning that came to nothing."""
    facts, day = judged.facts(), judged.key(1)
    unknown = {day: replace(facts.made[METRICS][day], inputs=None, code=None)}
    monkeypatch.setattr(judged, "facts", lambda: replace(facts, made={**facts.made, METRICS: unknown}))
    assert cause_of(judged) == (Cause.STALE, "what it was made from is not known")


def test_outdated_training_is_listed_and_owes_no_metric(judged: World) -> None:
    judged.arrive(CONVERSIONS, 0, says=1)
    judged.code[MODEL] = "another"
    assert debt_of(judged).outdated == {
        TRAINING_DATA: {"2026-01-02": "its event partitions changed"},
        MODEL: {"2026-01-02": "its notebook or declaration changed"},
    }
    assert cause_of(judged) == (Cause.DONE, "")


def test_a_change_after_the_restatement_window_is_listed_with_the_metrics_that_read_the_partition(
    judged: World,
) -> None:
    late = {CONVERSIONS: frozenset({"2026-01-04", "2026-01-01", "2026-01-03"}), "ads/others": frozenset({"2026-01-04"})}
    found = debt_of(judged, replace(judged.facts(), late=late))
    read = {METRICS: ("2026-01-02",)}
    assert found.late == (
        LateChange(CONVERSIONS, "2026-01-01", {}),
        LateChange(CONVERSIONS, "2026-01-03", read),
        LateChange(CONVERSIONS, "2026-01-04", read),
    )
    assert found.entries == debt_of(judged).entries


def _lose(world: World, *assets: str) -> Debt:
    """The debt once the store has lost the first day of some assets."""
    facts = replace(world.facts(), lost={asset: {FIRST: f"/store/{asset}"} for asset in assets})
    return debt(world.model, facts, statuses(world.model, facts, as_of=world.now), as_of=world.now)


def _first_entry(found: Debt) -> Entry:
    return next(entry for entry in found.entries if entry.horizon == ONE_DAY and entry.partition == FIRST)


@pytest.mark.parametrize("asset", [EVALUATION_DATA, METRICS])
def test_a_metric_or_its_rows_that_are_lost_are_owed_with_the_file(asset: str, judged: World) -> None:
    entry = _first_entry(_lose(judged, asset))
    words = f"{asset} is recorded, but lost from the store: /store/{asset}"
    assert (entry.cause, entry.why, entry.asset) == (Cause.LOST, words, asset)


@pytest.mark.parametrize("asset", [TRAINING_DATA, MODEL])
def test_training_that_is_lost_owes_no_metric_that_is_there_and_is_listed(asset: str, judged: World) -> None:
    found = _lose(judged, asset)
    assert _first_entry(found).cause is Cause.DONE
    assert found.outdated == {asset: {FIRST: f"recorded, but lost from the store: /store/{asset}"}}


@pytest.mark.parametrize(("lost", "named"), [((MODEL,), MODEL), ((MODEL, TRAINING_DATA), TRAINING_DATA)])
def test_a_metric_that_needs_a_lost_model_is_owed_for_that(lost: tuple[str, ...], named: str, world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    entry = _first_entry(_lose(world, *lost))
    assert (entry.cause, entry.asset) == (Cause.LOST, named)


def test_what_failed_for_a_lost_model_is_owed_for_that(world: World) -> None:
    make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    make(world, METRICS, fails=True)
    assert _first_entry(_lose(world)).cause is Cause.FAILED
    assert _first_entry(_lose(world, MODEL)).cause is Cause.LOST
