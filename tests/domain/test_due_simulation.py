"""What `due` promises, in a simulated world: whatever happens in whatever order, nothing is forgotten or repeated."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_assets.domain.spec import Model
from tests.domain.world import Run, Step, World

MakeModel = Callable[..., Model]
DAYS = 9

MODELS: list[dict[str, Any]] = [
    {"training": ("2d", "0d", "1d"), "evaluation": ("1d", "1d", "2d")},
    {"training": ("2d", "1d", "1d"), "evaluation": ("2d", "1d")},
    {"training": ("1d", "1d", "1h"), "evaluation": ("1d", "1d"), "same_log": True},
]
LOG, DAY, ASSET, RUN = st.integers(0, 1), st.integers(0, DAYS - 1), st.integers(0, 5), st.integers(0, 3)
HAPPENINGS = st.one_of(
    st.tuples(st.just("arrives"), LOG, DAY, st.integers(1, DAYS)),
    *[st.tuples(st.just("is_corrected"), LOG, DAY, st.booleans())] * 3,
    st.tuples(st.just("time_passes"), st.integers(1, 3)),
    st.tuples(st.just("tick")),
    *[st.tuples(st.just("run_goes_on"), RUN, st.integers(1, 5), st.booleans())] * 3,
    *[st.tuples(st.just("run_is_finished"), RUN)] * 2,
    st.tuples(st.just("run_is_killed"), RUN),
    st.tuples(st.just("code_changes"), ASSET),
    st.tuples(st.just("is_launched_by_hand"), st.sets(ASSET, min_size=1, max_size=2), DAY, st.integers(1, 3)),
)


class Watched(World):
    """A world that checks each request against what really happened."""

    def __init__(self, model: Model, **options: Any) -> None:
        super().__init__(model, **options)
        self.keys: set[str] = set()

    def tick(self) -> list[Step]:
        """Launch what is due, as the sensor does."""
        requests = self.requests()
        assert requests == self.requests(), "equal facts have equal requests"
        asked = [step for request in requests for step in self.steps(request)]
        assert len(asked) == len(set(asked)), "requests are disjoint"
        for request in requests:
            assert request.key not in self.keys, "the same request is never launched twice"
            self.keys.add(request.key)
            steps = self.steps(request)
            days = sorted({step.day for step in steps})
            assert days == list(range(days[0], days[-1] + 1)), "partitions are contiguous"
            assert len(days) <= self.partitions_per_run
            for step in steps:
                self._check(step, steps)
        for request in requests:
            self.launch(self.steps(request))
        return asked

    def arrives(self, log: int, first: int, days: int) -> None:
        """Some days of a log arrive, those that have not yet."""
        name = self._log(log)
        for day in range(first, min(first + days, DAYS)):
            if day not in self.source[name]:
                self.arrive(name, day)

    def is_corrected(self, log: int, day: int, rows_change: bool) -> None:
        """A day of a log that has arrived is written again, with other rows or the same."""
        name = self._log(log)
        if day in self.source[name]:
            self.arrive(name, day, says=self.source[name][day][1] + rows_change)

    def time_passes(self, days: int) -> None:
        """Some days end."""
        self.days_over = min(self.days_over + days, DAYS)

    def run_goes_on(self, run: int, moves: int, fails: bool) -> None:
        """A run begins and ends some steps; the first that it ends may fail."""
        for number in range(moves):
            if self.runs:
                self.advance(self._run(run), fails=fails and number < 2)

    def run_is_finished(self, run: int) -> None:
        """A run goes on to its end."""
        if self.runs:
            self.finish(self._run(run))

    def run_is_killed(self, run: int) -> None:
        """A run dies. One that has not begun anything yet does not: that is reported to a person instead."""
        if self.runs and self._run(run).begun:
            self.runs.remove(self._run(run))

    def code_changes(self, asset: int) -> None:
        """Somebody edits a notebook."""
        self.code[list(self.code)[asset % len(self.code)]] += "+"

    def is_launched_by_hand(self, assets: Iterable[int], first: int, days: int) -> None:
        """Somebody launches any assets of any days that do not run yet, mature or not."""
        names = [asset for number, asset in enumerate(self.code) if number in {n % len(self.code) for n in assets}]
        days_open = range(max(first, self.first_day), min(first + days, DAYS))
        steps = [Step(asset, day) for asset in names for day in days_open]
        if steps and not any(step in run.holds for step in steps for run in self.runs):
            self.launch(steps)

    def _log(self, number: int) -> str:
        return list(self.source)[number % len(self.source)]

    def _run(self, number: int) -> Run:
        return self.runs[number % len(self.runs)]

    def settle(self) -> None:
        """Finish all runs and launch what follows, until nothing is due."""
        for _ in range(8):
            for run in list(self.runs):
                self.finish(run)
            if not self.tick():
                return
        pytest.fail("it never comes to rest")

    def expected(self) -> list[Step]:
        """Everything that can be made by now, upstream first."""
        days = range(self.first_day, self.days_over)
        return [
            Step(asset, day) for chain in self.chains for day in days for asset in chain if self._can_be(asset, day)
        ]

    def _can_be(self, asset: str, day: int) -> bool:
        assets = [self.chains[0][0], *(chain[0] for chain in self.chains if asset in chain)]
        return all(self.has_arrived(Step(needed, day)) for needed in assets)

    def _check(self, step: Step, together: Iterable[Step]) -> None:
        assert self.first_day <= step.day < self.days_over
        assert not any(step in run.holds for run in self.runs), "nothing is launched while it runs"
        assert not self.has_failed(step), "a failure is not repeated"
        chain = next(chain for chain in self.chains if step.asset in chain)
        data, trains = Step(chain[0], step.day), chain == self.chains[0]
        assert self.has_arrived(data), "nothing is launched before its windows have arrived"
        if trains:
            assert step not in self.made, "history is never retrained"
        else:
            assert Step(self.model.asset("model"), step.day) in self.made, (
                "nothing is evaluated before its model exists"
            )
        if step == data:
            assert self._is_new(step)
        elif data in together:
            assert data not in self.made, "whether metrics follow is known once the rows are there"
        else:
            assert data in self.made
            assert self._is_new(step)

    def _is_new(self, step: Step) -> bool:
        """Whether a step would be made from something else than it was; a failed attempt since hides what it was."""
        made = self.made.get(step)
        return made is None or made.of != self.truth(step) or self.begun[step].id > made.id


@given(
    st.sampled_from(MODELS),
    st.integers(1, 4),
    st.integers(4, DAYS),
    st.booleans(),
    st.lists(st.tuples(HAPPENINGS, st.booleans()), min_size=5, max_size=40),
)
@settings(max_examples=120, deadline=None)
def test_whatever_happens_nothing_is_forgotten_or_repeated(
    make_model: MakeModel,
    fields: dict[str, Any],
    partitions_per_run: int,
    days_over: int,
    settled: bool,
    happenings: list[tuple[tuple[Any, ...], bool]],
) -> None:
    world = Watched(make_model(**fields), partitions_per_run=partitions_per_run)
    world.time_passes(days_over)
    for log in (0, 1):
        world.arrives(log, 0, days_over)
    if settled:
        world.settle()
    for (what, *details), then_tick in happenings:
        getattr(world, what)(*details)
        if then_tick:
            world.tick()
    world.settle()
    for step in world.expected():
        _is_settled(world, step)
    # A failure stands until its inputs or its code change; then nothing is left over.
    for asset in world.code:
        world.code[asset] += "!"
    world.settle()
    for step in world.expected():
        assert step in world.made
        assert world.horizon(step.asset) is None or world.made[step].of == world.truth(step)


def _is_settled(world: Watched, step: Step) -> None:
    """A partition is made, from what is there now where it is of evaluation; or it, or what it follows, has failed."""
    chain = next(chain for chain in world.chains if step.asset in chain)
    upstream = [Step(asset, step.day) for asset in (*world.chains[0], chain[0])]
    if any(world.has_failed(before) for before in (*upstream, step)):
        return
    assert step in world.made
    assert world.horizon(step.asset) is None or world.made[step].of == world.truth(step)


@given(
    st.sampled_from(MODELS),
    st.integers(1, 4),
    st.permutations([(log, day) for log in (0, 1) for day in range(DAYS)]),
    st.lists(st.integers(0, 2), min_size=2 * DAYS, max_size=2 * DAYS),
)
@settings(max_examples=50, deadline=None)
def test_each_mature_partition_is_made_exactly_once_in_whatever_order_its_events_arrive(
    make_model: MakeModel,
    fields: dict[str, Any],
    partitions_per_run: int,
    arrivals: list[tuple[int, int]],
    days_between: list[int],
) -> None:
    world = Watched(make_model(**fields), partitions_per_run=partitions_per_run)
    for (log, day), days in zip(arrivals, days_between, strict=True):
        world.arrives(log, day, 1)
        world.time_passes(days)
        world.tick()
        world.run_goes_on(day, days, fails=False)
    world.settle()
    assert sorted(map(repr, world.history)) == sorted(map(repr, world.expected()))


@given(st.sampled_from(MODELS), LOG, DAY, st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_correction_evaluates_again_exactly_what_reads_it_and_never_trains(
    make_model: MakeModel, fields: dict[str, Any], log: int, day: int, rows_change: bool
) -> None:
    world = _complete(make_model(**fields))
    corrected = list(world.source)[log % len(world.source)]
    world.arrive(corrected, day, says=int(rows_change))
    evaluations = [step for step in world.made if world.horizon(step.asset) and "_data" in step.asset]
    touched = {step for step in evaluations if (corrected, day) in world.window(step)}
    assert set(world.tick()) == touched
    for run in list(world.runs):
        world.finish(run)
    follow = {Step(step.asset.replace("evaluation_data", "metrics"), step.day) for step in touched}
    assert set(world.tick()) == (follow if rows_change else set())
    world.settle()


def test_a_model_that_was_made_again_by_hand_is_judged_again_on_the_same_rows(make_model: MakeModel) -> None:
    world = _complete(make_model(**MODELS[0]))
    world.launch([Step("ads/cvr/model", 3)])
    world.finish(world.runs[0])
    assert set(world.tick()) == {Step("ads/cvr/metrics_1d", 3), Step("ads/cvr/metrics_2d", 3)}


def test_a_correction_during_the_run_that_reads_it_is_picked_up_afterwards(make_model: MakeModel) -> None:
    world = _complete(make_model(**MODELS[1]))
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
    for log in world.source:
        for day in range(DAYS):
            world.arrive(log, day)
    world.tick()
    world.settle()
    assert set(world.made) == set(world.expected())
    return world
