"""Evaluation debt: which metrics are owed, for how long, and for what they wait."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.debt import Cause, Debt, Entry, debt
from ml_assets.domain.owed.due import statuses
from tests.domain.owed.debt.owed import (
    CHAIN,
    CONVERSIONS,
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
    world_of,
)
from tests.domain.steps import Step
from tests.domain.world import World

MakeModel = Callable[..., Model]


def test_every_partition_is_listed_at_every_horizon_the_shortest_first(world: World) -> None:
    assert [(entry.partition, str(entry.horizon)) for entry in debt_of(world).entries] == [
        ("2026-01-02", "1d"),
        ("2026-01-03", "1d"),
        ("2026-01-04", "1d"),
        ("2026-01-02", "2d"),
        ("2026-01-03", "2d"),
        ("2026-01-04", "2d"),
    ]


def test_nothing_is_owed_before_the_first_cutoff(model: Model) -> None:
    assert debt_of(world_of(model, 1)) == Debt((), {}, ())


def test_a_metric_on_present_inputs_is_done_and_as_old_as_its_maturity(judged: World) -> None:
    judged.days_over += 3
    entry = entry_of(judged)
    assert entry == Entry("2026-01-02", ONE_DAY, Cause.DONE, MATURE)
    assert entry.age(judged.now) == timedelta(days=3)


def test_what_matures_later_waits_for_that_instant_and_has_no_age(world: World) -> None:
    entry = entry_of(world, horizon=TWO_DAYS)
    assert entry == Entry("2026-01-02", TWO_DAYS, Cause.WAITING, MATURE + timedelta(days=1))
    assert entry.age(world.now) is None
    assert entry.age(entry.matures_at) == timedelta(0)


def test_what_matures_later_waits_also_while_its_model_is_due_or_runs(world: World) -> None:
    world.launch([Step(TRAINING_DATA, 1), Step(MODEL, 1)])
    assert cause_of(world, TWO_DAYS) == (Cause.WAITING, "")
    assert entry_of(world, "2026-01-03", TWO_DAYS).cause is Cause.WAITING


@pytest.mark.parametrize(
    ("partition", "matures_at"),
    [
        ("2026-03-26", "2026-03-30T01:00+02:00"),  # two days of elapsed time hold the night of 29 March, of 23 hours
        ("2026-03-28", "2026-04-01T00:00+02:00"),  # the evaluation window is that day
        ("2026-10-22", "2026-10-25T23:00+01:00"),
        ("2026-10-25", "2026-10-29T00:00+01:00"),
    ],
)
def test_a_metric_matures_when_its_outcomes_do_also_where_clocks_change(
    make_model: MakeModel, partition: str, matures_at: str
) -> None:
    model = make_model(training=("2d", "0d", "1d"), evaluation=("1d", "2d"), timezone="Europe/Berlin")
    world = world_of(model, model.partitions.index_of(partition) + 1)
    entry = entry_of(world, partition, TWO_DAYS)
    assert (entry.cause, entry.matures_at) == (Cause.WAITING, datetime.fromisoformat(matures_at))


def test_a_mature_metric_still_waits_for_the_end_of_the_event_partition_that_holds_its_last_outcomes(
    make_model: MakeModel,
) -> None:
    model = make_model(training=("2d", "0d", "1d"), evaluation=("1d", "2d"), timezone="Europe/Berlin")
    facts = world_of(model, model.partitions.index_of("2026-03-30")).facts()
    noon = datetime.fromisoformat("2026-03-30T12:00+02:00")
    found = debt(model, facts, statuses(model, facts, as_of=noon), as_of=noon)
    (entry,) = (entry for entry in found.entries if entry.partition == "2026-03-26")
    assert (entry.cause, entry.why) == (Cause.WAITING, "for ads/conversions 2026-03-30")
    assert entry.age(noon) == timedelta(hours=11)


def test_a_mature_metric_waits_for_the_rows_that_its_training_may_still_learn_of(make_model: MakeModel) -> None:
    late = timedelta(days=3)
    world = world_of(make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d"), known_delay=late), 4)
    assert cause_of(world) == (Cause.WAITING, "for rows that become known before 2026-01-06T00:00:00+00:00")


def test_an_event_partition_that_ended_and_has_not_arrived_is_missing_by_name(world: World) -> None:
    del world.source[CONVERSIONS][3]
    assert entry_of(world) == Entry("2026-01-02", ONE_DAY, Cause.MISSING_INPUT, MATURE, "ads/conversions 2026-01-04")
    missing_before_it_matures = (Cause.MISSING_INPUT, "ads/conversions 2026-01-04")
    assert cause_of(world, TWO_DAYS) == missing_before_it_matures, "2026-01-05, which has not ended, is not named"


def test_of_a_log_that_nobody_has_looked_at_nothing_is_said_to_be_missing(world: World) -> None:
    for day in range(4):
        del world.source[CONVERSIONS][day]

    def cause(*unseen: str) -> tuple[Cause, str]:
        facts = world.facts()
        found = statuses(world.model, facts, as_of=world.now)
        (entry, *_) = debt(world.model, facts, found, as_of=world.now, unseen=unseen).entries
        return entry.cause, entry.why

    assert cause(CONVERSIONS) == (Cause.NOT_LOOKED_AT, "no sensor has looked at ads/conversions")
    assert cause() == (Cause.MISSING_INPUT, "ads/conversions 2026-01-01..2026-01-04")
    del world.source[IMPRESSIONS][2]
    assert cause(CONVERSIONS) == (Cause.MISSING_INPUT, "ads/impressions 2026-01-03"), "what is known comes first"


def test_what_training_and_evaluation_miss_is_named_together(world: World) -> None:
    for log, day in ((CONVERSIONS, 1), (CONVERSIONS, 3), (IMPRESSIONS, 2)):
        del world.source[log][day]
    both = "ads/impressions 2026-01-03, ads/conversions 2026-01-02, 2026-01-04"
    assert cause_of(world) == (Cause.MISSING_INPUT, both)
    world.arrive(CONVERSIONS, 1)
    make(world, TRAINING_DATA)
    del world.source[CONVERSIONS][1]
    assert cause_of(world)[1] == "ads/impressions 2026-01-03, ads/conversions 2026-01-04", (
        "nobody reads 2026-01-02 again"
    )


@pytest.mark.parametrize("made", range(4))
def test_a_mature_metric_is_due_with_the_first_of_what_must_be_made(world: World, made: int) -> None:
    make(world, *CHAIN[:made])
    due = CHAIN[made]
    assert entry_of(world) == Entry("2026-01-02", ONE_DAY, Cause.DUE, MATURE, f"{due} is due", due)


@pytest.mark.parametrize("made", range(4))
def test_a_mature_metric_is_running_with_the_first_of_what_runs(world: World, made: int) -> None:
    make(world, *CHAIN[:made])
    world.launch([Step(asset, 1) for asset in CHAIN[made:]])
    runs = CHAIN[made]
    assert entry_of(world) == Entry("2026-01-02", ONE_DAY, Cause.RUNNING, MATURE, f"{runs} runs", runs)


def test_a_metric_that_is_made_again_runs(judged: World) -> None:
    judged.launch([Step(METRICS, 1)])
    assert cause_of(judged) == (Cause.RUNNING, "ads/cvr/metrics_1d runs")
