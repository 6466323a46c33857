"""A world that checks each request against what really happened, and the things that may happen in it."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import pytest
from hypothesis import strategies as st

from ml_assets.domain.calendar import Calendar
from ml_assets.domain.declared.spec import Model
from tests.domain.steps import Run, Step
from tests.domain.wall_clock import edge, overlapping
from tests.domain.world import World

DAYS = 9

NTH = st.integers(0, 23)
LOG, DAY, ASSET, RUN = st.integers(0, 2), st.integers(0, DAYS - 1), st.integers(0, 5), st.integers(0, 3)
HAPPENINGS = st.one_of(
    st.tuples(st.just("arrives"), LOG, DAY, st.integers(1, DAYS)),
    *[st.tuples(st.just("is_corrected"), LOG, DAY, NTH, st.booleans())] * 3,
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

    #: How many partitions of the model there are to play with.
    days = DAYS

    def __init__(self, model: Model, **options: Any) -> None:
        super().__init__(model, **options)
        self.launched: dict[str, Run] = {}

    def tick(self) -> list[Step]:
        """Launch what is due, as the sensor does."""
        self.look()
        requests = self.requests()
        assert requests == self.requests(), "equal facts have equal requests"
        asked = [step for request in requests for step in self.steps(request)]
        assert len(asked) == len(set(asked)), "requests are disjoint"
        for request in requests:
            before = self.launched.get(request.key)
            assert before is None or before.lost, "the same request is not launched twice, but for a run that was lost"
            steps = self.steps(request)
            days = sorted({step.day for step in steps})
            assert days == list(range(days[0], days[-1] + 1)), "partitions are contiguous"
            assert len(days) <= self.partitions_per_run
            for step in steps:
                self._check(step, steps)
        for request in requests:
            self.launched[request.key] = self.launch(self.steps(request), request.key)
        return asked

    def arrives(self, log: int, first: int, days: int) -> None:
        """The event partitions of some days arrive, those that have not yet."""
        name = self._log(log)
        for index in self.parts(name, first, days):
            if index not in self.source[name]:
                self.arrive(name, index)

    def is_corrected(self, log: int, day: int, nth: int, rows_change: bool) -> None:
        """An event partition that has arrived is written again, with other rows or the same."""
        name = self._log(log)
        parts = self.parts(name, day, 1)
        index = parts[nth % len(parts)] if parts else None
        if index in self.source[name]:
            self.arrive(name, index, says=self.source[name][index].says + rows_change)

    def parts(self, log: str, first: int, days: int) -> list[int]:
        """The event partitions of a log that lie in some partitions of the model; there is none after the log's end."""
        calendar = next(one for one in self.model.logs if one.key == log).partitions
        ours, last = self.model.partitions, min(first + days, self.days)
        found = overlapping(calendar, edge(ours, first), edge(ours, last)) if first < last else ()
        length = self.ends[log]
        return sorted(index for index in found if index >= 0 and (length is None or index < length))

    @cached_property
    def ends(self) -> dict[str, int | None]:
        """How many partitions each log has, counted one by one."""
        return {log.key: _count(log.partitions) for log in self.model.logs}

    def time_passes(self, days: int) -> None:
        """Some days end."""
        self.days_over = min(self.days_over + days, self.days)

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
            self.kill(self._run(run))

    def code_changes(self, asset: int) -> None:
        """Somebody edits a notebook."""
        self.code[list(self.code)[asset % len(self.code)]] += "+"

    def is_launched_by_hand(self, assets: Iterable[int], first: int, days: int) -> None:
        """Somebody launches any assets of any days that do not run yet, mature or not."""
        names = [asset for number, asset in enumerate(self.code) if number in {n % len(self.code) for n in assets}]
        days_open = range(max(first, self.first_day), min(first + days, self.days))
        steps = [Step(asset, day) for asset in names for day in days_open if self.is_expected(asset, day)]
        if steps and not any(step in run.holds for step in steps for run in self.runs):
            self.launch(steps)

    def _log(self, number: int) -> str:
        return list(self.source)[number % len(self.source)]

    def _run(self, number: int) -> Run:
        return self.runs[number % len(self.runs)]

    def settle(self) -> None:
        """Finish all runs and launch what follows, until nothing is due."""
        for _ in range(12):
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

    def is_expected(self, asset: str, day: int) -> bool:
        """Whether the windows of a partition end before the logs do."""
        data = next(chain[0] for chain in self.chains if asset in chain)
        return all((length := self.ends[log]) is None or index < length for log, index in self.window(Step(data, day)))

    def _can_be(self, asset: str, day: int) -> bool:
        assets = [self.chains[0][0], *(chain[0] for chain in self.chains if asset in chain)]
        return all(self.has_arrived(Step(needed, day)) for needed in assets)

    def _check(self, step: Step, together: Iterable[Step]) -> None:
        assert self.first_day <= step.day < self.days_over
        assert self.is_expected(step.asset, step.day), "nothing is launched that reaches past the end of a log"
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
        made, begun = self.made.get(step), self.begun.get(step)
        return made is None or made.of != self.truth(step) or bool(begun and begun.failed and begun.id > made.id)


def play(world: Watched, *, days_over: int, settled: bool, happenings: list[tuple[tuple[Any, ...], bool]]) -> None:
    """Let things happen in a world, each followed by a tick or not, and see that nothing is left over in the end."""
    world.time_passes(days_over)
    for log in range(len(world.model.logs)):
        world.arrives(log, 0, days_over)
    if settled:
        world.settle()
    for (what, *details), then_tick in happenings:
        getattr(world, what)(*details)
        if then_tick:
            world.tick()
    world.settle()
    for step in world.expected():
        assert_settled(world, step)
    # A failure stands until its inputs or its code change; then nothing is left over.
    for asset in world.code:
        world.code[asset] += "!"
    world.settle()
    for step in world.expected():
        assert step in world.made
        assert world.horizon(step.asset) is None or world.made[step].of == world.truth(step)


def assert_settled(world: Watched, step: Step) -> None:
    """A partition is made, from what is there now where it is of evaluation; or it, or what it follows, has failed."""
    chain = next(chain for chain in world.chains if step.asset in chain)
    upstream = [Step(asset, step.day) for asset in (*world.chains[0], chain[0])]
    if any(world.has_failed(before) for before in (*upstream, step)):
        return
    assert step in world.made
    assert world.horizon(step.asset) is None or world.made[step].of == world.truth(step)


def _count(calendar: Calendar) -> int | None:
    if calendar.end is None:
        return None
    last = edge(Calendar("day", calendar.end, calendar.timezone), 0)
    count = 0
    while edge(calendar, count + 1) <= last:
        count += 1
    return count
