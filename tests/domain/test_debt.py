"""Each cause of the debt with its words, on a world in memory; then all of them at once, whatever has happened.

One model, daily from 2026-01-01 on: training reads two days, evaluation the day after, horizons of one and two days.
Its first partition is 2026-01-02, whose metrics mature on 5 and on 6 January.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml_assets.domain.debt import Cause, Debt, Entry, LateChange, debt
from ml_assets.domain.due import State, statuses
from ml_assets.domain.durations import Duration
from ml_assets.domain.facts import Facts
from ml_assets.domain.history import Feature, History
from ml_assets.domain.spec import Join, Model
from ml_assets.domain.windows import Needs, needed, windows_of
from tests.domain.strategies import models
from tests.domain.watched import DAYS, HAPPENINGS, Watched
from tests.domain.world import Step, World, edge

MakeModel = Callable[..., Model]
TRAINING_DATA, MODEL = "ads/cvr/training_data", "ads/cvr/model"
EVALUATION_DATA, METRICS = "ads/cvr/evaluation_data_1d", "ads/cvr/metrics_1d"
CHAIN = (TRAINING_DATA, MODEL, EVALUATION_DATA, METRICS)
IMPRESSIONS, CONVERSIONS = "ads/impressions", "ads/conversions"
FIRST = "2026-01-02"
ONE_DAY, TWO_DAYS = Duration(1, "d"), Duration(2, "d")
MATURE = datetime(2026, 1, 5, tzinfo=UTC)


def _world(model: Model, days: int) -> World:
    """A world in which some days are over and have arrived; nothing is made yet."""
    world = World(model)
    world.days_over = days
    for log in model.logs:
        for day in range(days):
            world.arrive(log.key, day)
    return world


@pytest.fixture
def model(make_model: MakeModel) -> Model:
    return make_model(training=("2d", "0d", "1d"), evaluation=("1d", "2d", "1d"))


@pytest.fixture
def world(model: Model) -> World:
    """The first metric of one day is mature, and no other."""
    return _world(model, 4)


@pytest.fixture
def judged(world: World) -> World:
    """The first metric of one day is made."""
    _make(world, *CHAIN)
    return world


def _make(world: World, *assets: str, fails: bool = False) -> None:
    """Let a run make 2026-01-02 of each asset, or fail at it."""
    for asset in assets:
        run = world.launch([Step(asset, 1)])
        world.advance(run)
        world.advance(run, fails=fails)


def _debt(world: World, facts: Facts | None = None) -> Debt:
    facts = facts or world.facts()
    return debt(world.model, facts, statuses(world.model, facts, as_of=world.now), as_of=world.now)


def _entry(world: World, partition: str = "2026-01-02", horizon: Duration = ONE_DAY) -> Entry:
    (found,) = (one for one in _debt(world).entries if (one.partition, one.horizon) == (partition, horizon))
    return found


def _cause(world: World, horizon: Duration = ONE_DAY) -> tuple[Cause, str]:
    """Cause and words of 2026-01-02."""
    found = _entry(world, horizon=horizon)
    return found.cause, found.why


def test_every_partition_is_listed_at_every_horizon_the_shortest_first(world: World) -> None:
    assert [(entry.partition, str(entry.horizon)) for entry in _debt(world).entries] == [
        ("2026-01-02", "1d"),
        ("2026-01-03", "1d"),
        ("2026-01-04", "1d"),
        ("2026-01-02", "2d"),
        ("2026-01-03", "2d"),
        ("2026-01-04", "2d"),
    ]


def test_nothing_is_owed_before_the_first_cutoff(model: Model) -> None:
    assert _debt(_world(model, 1)) == Debt((), {}, ())


def test_a_metric_on_present_inputs_is_done_and_as_old_as_its_maturity(judged: World) -> None:
    judged.days_over += 3
    entry = _entry(judged)
    assert entry == Entry("2026-01-02", ONE_DAY, Cause.DONE, MATURE)
    assert entry.age(judged.now) == timedelta(days=3)


def test_what_matures_later_waits_for_that_instant_and_has_no_age(world: World) -> None:
    entry = _entry(world, horizon=TWO_DAYS)
    assert entry == Entry("2026-01-02", TWO_DAYS, Cause.WAITING, MATURE + timedelta(days=1))
    assert entry.age(world.now) is None
    assert entry.age(entry.matures_at) == timedelta(0)


def test_what_matures_later_waits_also_while_its_model_is_due_or_runs(world: World) -> None:
    world.launch([Step(TRAINING_DATA, 1), Step(MODEL, 1)])
    assert _cause(world, TWO_DAYS) == (Cause.WAITING, "")
    assert _entry(world, "2026-01-03", TWO_DAYS).cause is Cause.WAITING


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
    world = _world(model, model.partitions.index_of(partition) + 1)
    entry = _entry(world, partition, TWO_DAYS)
    assert (entry.cause, entry.matures_at) == (Cause.WAITING, datetime.fromisoformat(matures_at))


def test_a_mature_metric_still_waits_for_the_end_of_the_event_partition_that_holds_its_last_outcomes(
    make_model: MakeModel,
) -> None:
    model = make_model(training=("2d", "0d", "1d"), evaluation=("1d", "2d"), timezone="Europe/Berlin")
    facts = _world(model, model.partitions.index_of("2026-03-30")).facts()
    noon = datetime.fromisoformat("2026-03-30T12:00+02:00")
    found = debt(model, facts, statuses(model, facts, as_of=noon), as_of=noon)
    (entry,) = (entry for entry in found.entries if entry.partition == "2026-03-26")
    assert (entry.cause, entry.why) == (Cause.WAITING, "for ads/conversions 2026-03-30")
    assert entry.age(noon) == timedelta(hours=11)


def test_a_mature_metric_waits_for_the_rows_that_its_training_may_still_learn_of(make_model: MakeModel) -> None:
    late = timedelta(days=3)
    world = _world(make_model(training=("2d", "0d", "1d"), evaluation=("1d", "1d"), known_delay=late), 4)
    assert _cause(world) == (Cause.WAITING, "for rows that become known before 2026-01-06T00:00:00+00:00")


def test_an_event_partition_that_ended_and_has_not_arrived_is_missing_by_name(world: World) -> None:
    del world.source[CONVERSIONS][3]
    assert _entry(world) == Entry("2026-01-02", ONE_DAY, Cause.MISSING_INPUT, MATURE, "ads/conversions 2026-01-04")
    missing_before_it_matures = (Cause.MISSING_INPUT, "ads/conversions 2026-01-04")
    assert _cause(world, TWO_DAYS) == missing_before_it_matures, "2026-01-05, which has not ended, is not named"


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
    assert _cause(world) == (Cause.MISSING_INPUT, both)
    world.arrive(CONVERSIONS, 1)
    _make(world, TRAINING_DATA)
    del world.source[CONVERSIONS][1]
    assert _cause(world)[1] == "ads/impressions 2026-01-03, ads/conversions 2026-01-04", "nobody reads 2026-01-02 again"


@pytest.mark.parametrize("made", range(4))
def test_a_mature_metric_is_due_with_the_first_of_what_must_be_made(world: World, made: int) -> None:
    _make(world, *CHAIN[:made])
    due = CHAIN[made]
    assert _entry(world) == Entry("2026-01-02", ONE_DAY, Cause.DUE, MATURE, f"{due} is due", due)


@pytest.mark.parametrize("made", range(4))
def test_a_mature_metric_is_running_with_the_first_of_what_runs(world: World, made: int) -> None:
    _make(world, *CHAIN[:made])
    world.launch([Step(asset, 1) for asset in CHAIN[made:]])
    runs = CHAIN[made]
    assert _entry(world) == Entry("2026-01-02", ONE_DAY, Cause.RUNNING, MATURE, f"{runs} runs", runs)


def test_a_metric_that_is_made_again_runs(judged: World) -> None:
    judged.launch([Step(METRICS, 1)])
    assert _cause(judged) == (Cause.RUNNING, "ads/cvr/metrics_1d runs")


@pytest.mark.parametrize("made", range(4))
def test_a_metric_fails_with_what_it_needs_and_names_the_run(world: World, made: int) -> None:
    _make(world, *CHAIN[:made])
    _make(world, CHAIN[made], fails=True)
    why = f"{CHAIN[made]} failed"
    assert _entry(world) == Entry("2026-01-02", ONE_DAY, Cause.FAILED, MATURE, why, CHAIN[made], f"r{made + 1}")


def test_a_failed_training_is_told_before_anything_matures(world: World) -> None:
    _make(world, TRAINING_DATA, fails=True)
    assert _cause(world, TWO_DAYS) == (Cause.FAILED, "ads/cvr/training_data failed")
    assert _debt(world).outdated == {}, "what was never made is not outdated"


def test_evaluation_data_that_cannot_be_made_again_is_a_failure_of_its_metric(judged: World) -> None:
    _make(judged, EVALUATION_DATA, fails=True)
    assert _cause(judged) == (Cause.FAILED, "ads/cvr/evaluation_data_1d failed")


@pytest.mark.parametrize("asset", [TRAINING_DATA, MODEL])
def test_a_model_that_could_not_be_made_again_hides_nothing_of_the_older_one(judged: World, asset: str) -> None:
    _make(judged, asset, fails=True)
    assert _cause(judged) == (Cause.DONE, "")
    assert _debt(judged).outdated == {
        asset: {"2026-01-02": "to make it again failed on its present inputs, in run r5"},
    }
    judged.days_over = 5
    for log in (IMPRESSIONS, CONVERSIONS):
        judged.arrive(log, 4)
    assert _cause(judged, TWO_DAYS) == (Cause.DUE, "ads/cvr/evaluation_data_2d is due"), "the older one can be judged"


def test_the_training_data_of_a_model_that_was_never_made_may_fail_to_be_made_again(world: World) -> None:
    _make(world, TRAINING_DATA)
    _make(world, TRAINING_DATA, fails=True)
    assert _cause(world) == (Cause.DUE, "ads/cvr/model is due")


def test_a_metric_of_a_model_that_was_made_again_is_stale(judged: World) -> None:
    _make(judged, MODEL)
    assert _entry(judged) == Entry("2026-01-02", ONE_DAY, Cause.STALE, MATURE, "its model was made again")
    _make(judged, METRICS)
    assert _cause(judged) == (Cause.DONE, "")


def test_a_metric_is_stale_of_a_model_that_was_made_again_while_it_was_computed(world: World) -> None:
    _make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    run = world.launch([Step(METRICS, 1)])
    world.advance(run)
    _make(world, MODEL)
    world.finish(run)
    assert _cause(world) == (Cause.STALE, "its model was made again")


def test_a_metric_on_corrected_events_is_stale_before_and_after_its_evaluation_data_was_made_again(
    judged: World,
) -> None:
    judged.arrive(CONVERSIONS, 3, says=1)
    assert _cause(judged) == (Cause.STALE, "the event partitions of its evaluation data changed")
    _make(judged, EVALUATION_DATA)
    assert _cause(judged) == (Cause.STALE, "the rows of its evaluation data changed")
    _make(judged, MODEL)
    assert _cause(judged) == (
        Cause.STALE,
        "its model was made again and the rows of its evaluation data changed",
    )


def test_a_metric_on_events_that_were_rewritten_as_they_were_is_not_stale(judged: World) -> None:
    judged.arrive(CONVERSIONS, 3, says=0)
    _make(judged, EVALUATION_DATA)
    assert _cause(judged) == (Cause.DONE, "")
    _make(judged, MODEL)
    assert _cause(judged) == (Cause.STALE, "its model was made again"), "and not its evaluation data"


def test_a_metric_by_another_notebook_is_stale_and_says_whose_it_is(judged: World) -> None:
    judged.code[METRICS] = "another"
    assert _cause(judged) == (Cause.STALE, "its notebook or declaration changed")
    judged.code[EVALUATION_DATA] = "another"
    data = "the notebook or declaration of its evaluation data changed"
    assert _cause(judged) == (Cause.STALE, f"{data} and its notebook or declaration changed")
    judged.code[METRICS] = f"{METRICS} v0"
    assert _cause(judged) == (Cause.STALE, data)


def test_a_metric_whose_making_again_was_killed_stays_what_it_was(judged: World) -> None:
    run = judged.launch([Step(METRICS, 1)])
    judged.advance(run)
    judged.kill(run)
    assert _cause(judged) == (Cause.DONE, "")


def test_a_metric_of_which_it_is_not_known_what_it_was_made_from_is_stale(
    judged: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where an older run noted a beginning that came to nothing."""
    facts, day = judged.facts(), judged.key(1)
    unknown = {day: replace(facts.made[METRICS][day], inputs=None, code=None)}
    monkeypatch.setattr(judged, "facts", lambda: replace(facts, made={**facts.made, METRICS: unknown}))
    assert _cause(judged) == (Cause.STALE, "what it was made from is not known")


def test_outdated_training_is_listed_and_owes_no_metric(judged: World) -> None:
    judged.arrive(CONVERSIONS, 0, says=1)
    judged.code[MODEL] = "another"
    assert _debt(judged).outdated == {
        TRAINING_DATA: {"2026-01-02": "its event partitions changed"},
        MODEL: {"2026-01-02": "its notebook or declaration changed"},
    }
    assert _cause(judged) == (Cause.DONE, "")


def test_a_change_after_the_restatement_window_is_listed_with_the_metrics_that_read_the_partition(
    judged: World,
) -> None:
    late = {CONVERSIONS: frozenset({"2026-01-04", "2026-01-01", "2026-01-03"}), "ads/others": frozenset({"2026-01-04"})}
    found = _debt(judged, replace(judged.facts(), late=late))
    read = {METRICS: ("2026-01-02",)}
    assert found.late == (
        LateChange(CONVERSIONS, "2026-01-01", {}),
        LateChange(CONVERSIONS, "2026-01-03", read),
        LateChange(CONVERSIONS, "2026-01-04", read),
    )
    assert found.entries == _debt(judged).entries


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
    _make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    entry = _first_entry(_lose(world, *lost))
    assert (entry.cause, entry.asset) == (Cause.LOST, named)


def test_what_failed_for_a_lost_model_is_owed_for_that(world: World) -> None:
    _make(world, TRAINING_DATA, MODEL, EVALUATION_DATA)
    _make(world, METRICS, fails=True)
    assert _first_entry(_lose(world)).cause is Cause.FAILED
    assert _first_entry(_lose(world, MODEL)).cause is Cause.LOST
