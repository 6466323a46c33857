"""Executes a plan: launches its runs when their inputs exist, follows them, and says what became of each partition.

What it knows of its runs it reads from their events. It keeps no state of its own: after any end the next plan is made
from what is recorded.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import dagster as dg

from ml_assets.dagster_names import DagsterEventType
from ml_assets.domain.calendar import contiguous
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.owed.facts import Made
from ml_assets.domain.owed.plan import PlannedRun
from ml_assets.domain.owed.runs import comes_after
from ml_assets.orchestration.launching.elsewhere import Elsewhere
from ml_assets.orchestration.launching.launches import Launch
from ml_assets.orchestration.launching.outcomes import Item, Outcome, State
from ml_assets.orchestration.launching.runs import Runs, evaluation_pool, pool_limit, set_up_pools
from ml_assets.orchestration.recorded.facts import failure_in

#: A look at the events of a run costs milliseconds.
_SECONDS_BETWEEN_LOOKS = 0.5
#: A run that is killed takes those of its partitions with it that were not begun; they are launched again.
_LAUNCHES = 3
_EVENTS = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_OBSERVATION,
    DagsterEventType.STEP_FAILURE,
}


@dataclass
class _Active:
    planned: PlannedRun
    cursor: str | None = None
    #: The steps that failed, with the traceback of each partition that did.
    failed_steps: dict[str, Mapping[str, str]] = field(default_factory=dict)


class Backfill:
    """One execution of a plan.

    Args: `made`: what there was of each asset when it was planned.
    Attributes: `outcomes`: by asset and partition.
    """

    def __init__(
        self,
        runs: Runs,
        models: Iterable[Model],
        planned: Sequence[PlannedRun],
        launch: Launch,
        made: Mapping[str, Mapping[str, Made]],
    ) -> None:
        self.outcomes: dict[Item, Outcome] = {item: Outcome() for run in planned for item in run.items}
        self._runs = runs
        self._instance = runs.instance
        self._models = {model.name: model for model in models}
        self._queue = list(planned)
        self._launch = launch
        self._active: dict[str, _Active] = {}
        self._own: set[str] = set()
        self._elsewhere = Elsewhere(runs.instance, made)

    def execute(self, *, tags: Mapping[str, str], on_look: Callable[[], None], until: Callable[[], bool]) -> None:
        """Launch and follow the runs to their end.

        Args: `tags`: of each run; `on_look`: called after each look; `until`: whether to launch no more.
        Raises: KeyboardInterrupt, after the runs that were under way are ended and recorded as failed.
        """
        set_up_pools(self._instance, self._models.values())
        try:
            while self._queue or self._active:
                if until():
                    self._leave_out(self._queue, "the budget is spent")
                    self._queue = []
                self._launch_ready(tags)
                self._look()
                on_look()
                if self._active or self._queue:
                    time.sleep(_SECONDS_BETWEEN_LOOKS)
        except BaseException:
            self._end()
            raise

    @property
    def counts(self) -> Counter[State]:
        """How many partitions are in which state."""
        return Counter(outcome.state for outcome in self.outcomes.values())

    def _launch_ready(self, tags: Mapping[str, str]) -> None:
        asked = False
        for planned in list(self._queue):
            if len(self._active) >= self._launch.parallelism:
                return
            upstream = {item: self._upstream(planned, item) for item in planned.items}
            if any(self._is_open(one) for of in upstream.values() for one in of):
                continue
            if not asked and (why := self._launch.obstacle()):
                self._leave_out(self._queue, why)
                self._queue = []
                return
            asked = True
            self._queue.remove(planned)
            for part in self._without_broken(planned, upstream):
                if self._active and (len(self._active) >= self._launch.parallelism or not self._fits_pool(part)):
                    self._queue.insert(0, part)
                else:
                    self._launch_ours(part, tags)

    def _launch_ours(self, planned: PlannedRun, tags: Mapping[str, str]) -> None:
        """Start a run over what nobody else has made since the plan, or makes now."""
        seen = self._elsewhere.look(self._models[planned.model], planned.assets, own=self._own)
        # Of a partition that somebody is at, the rest comes after that.
        held = {item[1]: seen.making[item] for item in planned.items if item in seen.making}
        ours: dict[str, list[str]] = {}
        waits: dict[str, list[str]] = {}
        for item in planned.items:
            asset, partition = item
            if partition in held and not self._launch.waits_for_others:
                self._settle(item, State.LEFT_OUT, f"run {held[partition]} is at it")
            elif partition in held:
                waits.setdefault(partition, []).append(asset)
            elif item in seen.made:
                self.outcomes[item].run = seen.made[item]
                self._settle(item, State.MADE)
            else:
                ours.setdefault(partition, []).append(asset)
        begun, later = self._by_assets(planned, ours), self._by_assets(planned, waits)
        self._queue[:0] = [*begun[1:], *later]
        for first in begun[:1]:
            self._start(first, tags)

    def _start(self, planned: PlannedRun, tags: Mapping[str, str]) -> None:
        run = self._runs.create(planned.assets, planned.partitions, {**tags, **self._launch.tags})
        for item in planned.items:
            outcome = self.outcomes[item]
            outcome.state, outcome.run, outcome.launches = State.RUNNING, run.run_id, outcome.launches + 1
        self._own.add(run.run_id)
        self._active[run.run_id] = _Active(planned)
        self._launch.start(run)

    def _upstream(self, planned: PlannedRun, item: Item) -> list[Item]:
        """What of this backfill a partition needs, or comes after, outside of its own run."""
        asset, partition = item
        found = [(one, partition) for one in comes_after(self._models[planned.model])[asset]]
        return [one for one in found if one in self.outcomes and one[0] not in planned.assets]

    def _is_open(self, item: Item) -> bool:
        return self.outcomes[item].state in {State.PENDING, State.RUNNING}

    def _without_broken(self, planned: PlannedRun, upstream: Mapping[Item, Sequence[Item]]) -> list[PlannedRun]:
        """The run without the partitions of which something upstream has failed."""
        model = self._models[planned.model]
        broken: set[str] = set()
        for item, of in upstream.items():
            for asset, partition in of:
                if self.outcomes[asset, partition].state is not State.MADE:
                    broken.add(item[1])
                    self._settle(item, State.LEFT_OUT, f"its {asset.removeprefix(model.name + '/')} was not made")
        for item in planned.items:
            if item[1] in broken:
                self._settle(item, State.LEFT_OUT, "its inputs were not made")
        kept = [partition for partition in planned.partitions if partition not in broken]
        return self._parts(planned, planned.assets, kept)

    def _parts(self, planned: PlannedRun, assets: Sequence[str], partitions: Sequence[str]) -> list[PlannedRun]:
        calendar = self._models[planned.model].partitions
        spans = contiguous(sorted(map(calendar.index_of, partitions)))
        return [
            replace(planned, assets=tuple(assets), partitions=tuple(calendar.key(index) for index in span))
            for span in spans
        ]

    def _fits_pool(self, planned: PlannedRun) -> bool:
        """Whether the limit of the pool of evaluations lets one more run."""
        pool = self._pool(planned)
        if pool is None or not self._launch.holds_pools:
            return True
        limit = pool_limit(self._instance, pool)
        active = [self._pool(one.planned) for one in self._active.values()]
        return limit is None or active.count(pool) < limit

    def _pool(self, planned: PlannedRun) -> str | None:
        """The pool of a run that evaluates."""
        model = self._models[planned.model]
        training = (model.asset("training_data"), model.asset("model"))
        return None if planned.assets[0] in training else evaluation_pool(model)

    def _look(self) -> None:
        for run_id, active in list(self._active.items()):
            # Before the events are read: what it records until its end is among them.
            ended = self._launch.ended(run_id)
            self._read(run_id, active)
            if ended:
                del self._active[run_id]
                self._conclude(run_id, active)

    def _read(self, run_id: str, active: _Active) -> None:
        """Take note of what a run has recorded since the last look."""
        while True:
            found = self._instance.get_records_for_run(run_id, cursor=active.cursor, of_type=_EVENTS)
            active.cursor = found.cursor
            for record in found.records:
                event = record.event_log_entry.dagster_event
                if event is None:
                    continue
                if event.is_step_failure:
                    active.failed_steps[event.step_key or ""] = _tracebacks(event)
                    continue
                item = ("/".join(event.asset_key.path) if event.asset_key else "", event.partition or "")
                if item not in self.outcomes:
                    continue
                if event.is_step_materialization:
                    self._settle(item, State.MADE)
                elif (error := failure_in(record)) is not None:
                    self._settle(item, State.FAILED, error)
            if not found.has_more:
                return

    def _conclude(self, run_id: str, active: _Active) -> None:
        """Settle what a run has left without a verdict, or launch it again."""
        planned = active.planned
        run = self._instance.get_run_by_id(run_id)
        again: dict[str, list[str]] = {}
        for asset, partition in planned.items:
            outcome = self.outcomes[asset, partition]
            if outcome.state is not State.RUNNING:
                continue
            step = asset.replace("/", "__")
            if step in active.failed_steps:
                why = active.failed_steps[step].get(partition, "its step failed")
                self._settle((asset, partition), State.FAILED, why)
            elif outcome.launches < _LAUNCHES and not (run and run.status is dg.DagsterRunStatus.CANCELED):
                # A step before it failed for other partitions, or the run was killed.
                outcome.state = State.PENDING
                again.setdefault(partition, []).append(asset)
            else:
                status = run.status.value.lower() if run else "gone"
                self._settle((asset, partition), State.FAILED, f"run {run_id} ended without a verdict, it is {status}")
        self._queue[:0] = self._by_assets(planned, again)

    def _by_assets(self, planned: PlannedRun, wanted: Mapping[str, Sequence[str]]) -> list[PlannedRun]:
        """The runs that make some assets of each partition, out of one."""
        by_assets: dict[tuple[str, ...], list[str]] = {}
        for partition, assets in wanted.items():
            by_assets.setdefault(tuple(assets), []).append(partition)
        return [part for assets, of in by_assets.items() for part in self._parts(planned, assets, of)]

    def _settle(self, item: Item, state: State, why: str = "") -> None:
        outcome = self.outcomes[item]
        if state is State.LEFT_OUT and outcome.state is State.LEFT_OUT:
            return
        outcome.state, outcome.why = state, why

    def _leave_out(self, runs: Sequence[PlannedRun], why: str) -> None:
        for item in (item for run in runs for item in run.items):
            self._settle(item, State.LEFT_OUT, why)

    def _end(self) -> None:
        """End the runs under way, without a verdict: nobody decided that their partitions should not be made."""
        for run_id in self._active:
            with suppress(Exception):
                self._launch.kill(run_id)


def _tracebacks(event: dg.DagsterEvent) -> dict[str, str]:
    """The last line of the traceback of each partition that failed."""
    data = event.step_failure_data
    metadata = data.user_failure_data.metadata if data.user_failure_data else {}
    return {
        label.removeprefix("traceback "): str(value.value).strip().splitlines()[-1]
        for label, value in metadata.items()
        if label.startswith("traceback ")
    }
