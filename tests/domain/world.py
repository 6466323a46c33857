"""A world in memory that obeys requests as the real one does: sources, runs that take their time, and what is recorded.

A run pins its inputs when it begins a partition and refuses what is not there; it records that it began, and a
materialization if it ends well. The world also keeps the truth (`Record.of`): what a partition was really made from, so
that tests need not believe the digests. Which event partitions a step reads is found by looking at each one's instants,
reckoned by the wall clock (`wall_clock.py`); the domain's windows are not asked.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrivals
from ml_assets.domain.owed.due import Request, due, statuses
from ml_assets.domain.owed.facts import Attempt, Facts, Made, metrics_inputs, model_inputs
from ml_assets.domain.owed.runs import RunSize
from ml_assets.domain.versions import digest
from ml_assets.domain.windows import needed, windows_of
from tests.domain.steps import Record, Run, Step, Written
from tests.domain.wall_clock import edge, moved, overlapping

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)
Span = tuple[datetime, datetime]


class World:
    """Sources, runs and records of one model."""

    def __init__(self, model: Model, *, partitions_per_run: int = 3) -> None:
        self.model, self.partitions_per_run, self.days_over = model, partitions_per_run, 0
        self.source: dict[str, dict[int, Written]] = {log.key: {} for log in model.logs}
        #: By log and partition: the writing that was there when last looked at, and the one that counts.
        self.seen: dict[tuple[str, int], tuple[int, int]] = {}
        self.made: dict[Step, Record] = {}
        self.begun: dict[Step, Record] = {}
        self.runs: list[Run] = []
        self.code = {asset: f"{asset} v0" for chain in self.chains for asset in chain}
        self.history: list[Step] = []
        self._last_id = self._launched = 0
        self._windows: dict[Step, list[tuple[str, int]]] = {}

    @property
    def chains(self) -> list[tuple[str, str]]:
        """The pairs of assets that follow one another in a run."""
        model = self.model
        evaluations = [
            (model.asset("evaluation_data", h), model.asset("metrics", h)) for h in model.evaluation.horizons
        ]
        return [(model.asset("training_data"), model.asset("model")), *evaluations]

    @property
    def now(self) -> datetime:
        """The instant at which so many partitions are over."""
        return edge(self.model.partitions, self.days_over)

    @cached_property
    def first_day(self) -> int:
        """The first partition whose training window, with its history, lies inside the logs."""
        data = self.model.asset("training_data")
        starts = {log.key: edge(log.partitions, 0) for log in self.model.logs}
        return next(
            day for day in range(10_000) if all(start >= starts[log] for log, (start, _) in self.spans(Step(data, day)))
        )

    def horizon(self, asset: str) -> Duration | None:
        """The horizon of an asset; None for training data and models."""
        return next((h for h in self.model.evaluation.horizons if asset.endswith(f"_{h}")), None)

    def spans(self, step: Step) -> list[tuple[str, Span]]:
        """The instants of each log that training or evaluation data reads."""
        model, horizon, zone = self.model, self.horizon(step.asset), self.model.partitions.zone
        cutoff = edge(model.partitions, step.day + 1)
        if horizon:
            exposures = (cutoff, moved(cutoff, model.evaluation.window, zone))
            outcomes = (cutoff, exposures[1] + horizon.elapsed)
        else:
            end = moved(cutoff, model.training.gap, zone, back=True)
            exposures = (moved(end, model.training.window, zone, back=True), end)
            outcomes = (exposures[0], cutoff)
        found = [(model.exposures.key, exposures), (model.outcomes.key, outcomes)]
        return found + [(h.log.key, (exposures[0] - h.window.elapsed, exposures[1])) for h in model.history]

    def window(self, step: Step) -> list[tuple[str, int]]:
        """The event partitions that training or evaluation data reads, sorted."""
        if step not in self._windows:
            calendars = {log.key: log.partitions for log in self.model.logs}
            found = {(log, index) for log, span in self.spans(step) for index in overlapping(calendars[log], *span)}
            self._windows[step] = sorted(found)
        return self._windows[step]

    def arrive(self, log: str, day: int, *, says: int = 0) -> None:
        """Write an event partition, for the first time or again; `says` stands for its rows."""
        before = self.source[log].get(day)
        self.source[log][day] = Written(before.times + 1 if before else 1, says)

    def counts(self, log: str, day: int) -> int:
        """Which writing of an event partition counts: the newest that was found within the restatement window."""
        times, seen = self.source[log][day].times, self.seen.get((log, day))
        if seen is None or seen[0] == times:
            return seen[1] if seen else times
        declared = next(one for one in self.model.logs if one.key == log)
        age = self.now - edge(declared.partitions, day + 1)
        return seen[1] if declared.restatement and age >= declared.restatement.elapsed else times

    def look(self) -> None:
        """Note what the sources hold."""
        parts = [(log, day) for log, days in self.source.items() for day in days if self.arrived(log, day)]
        self.seen = {part: (self.source[part[0]][part[1]].times, self.counts(*part)) for part in parts}

    def arrived(self, log: str, day: int) -> bool:
        """Whether an event partition has arrived."""
        return day in self.source[log]

    def has_arrived(self, step: Step) -> bool:
        """Whether all that a step reads from the logs has arrived."""
        return all(self.arrived(log, day) for log, day in self.window(step))

    def facts(self) -> Facts:
        """What is recorded, read as from an instance: a later failure hides what a materialization was made of."""
        made: dict[str, dict[str, Made]] = {}
        failed: dict[str, dict[str, Attempt]] = {}
        for step, record in self.made.items():
            begun = self.begun[step]
            known = begun.id < record.id or not begun.failed
            fact = Made(
                record.id, record.data_version, record.inputs if known else None, record.code if known else None
            )
            made.setdefault(step.asset, {})[self.key(step.day)] = fact
        for step, begun in self.begun.items():
            if begun.failed:
                failed.setdefault(step.asset, {})[self.key(step.day)] = Attempt(
                    begun.inputs, begun.code, begun.run, begun.id
                )
        running: dict[str, set[str]] = {}
        for step in (step for run in self.runs for step in run.holds):
            running.setdefault(step.asset, set()).add(self.key(step.day))
        frozen = {asset: frozenset(keys) for asset, keys in running.items()}
        return Facts(self._arrived(), made, failed, frozen, dict(self.code))

    def requests(self) -> list[Request]:
        """What is due now."""
        facts = self.facts()
        found = statuses(self.model, facts, as_of=self.now)
        return due(self.model, facts, found, size=RunSize(self.partitions_per_run))

    def key(self, day: int) -> str:
        """The partition key of a day."""
        return self.model.partitions.key(day)

    def steps(self, request: Request) -> list[Step]:
        """The steps of a request, in the order in which a run takes them."""
        days = [self.model.partitions.index_of(partition) for partition in request.partitions]
        return [Step(asset, day) for asset in request.assets for day in days]

    def launch(self, steps: Iterable[Step], key: str = "") -> Run:
        """Start a run, by hand where it has no key; nothing is begun yet."""
        self._launched += 1
        run = Run(f"r{self._launched}", list(steps))
        self.runs.append(run)
        return run

    def kill(self, run: Run) -> None:
        """End a run without a verdict."""
        run.lost = True
        self.runs.remove(run)
        self._is_over(run)

    def advance(self, run: Run, *, fails: bool = False) -> None:
        """Let a run begin its next step, or end the one that it has begun."""
        if run.begun:
            self._end(run.begun, run, fails=fails)
            run.begun = None
        elif run.steps:
            step = run.steps.pop(0)
            truth = self.truth(step)
            if truth is None:
                self._refuse(step)
            else:
                self.begun[step] = Record(self._id(), self._digest(step), self.code[step.asset], truth, run.name)
                run.begun, run.read = step, self._contents(step)
                self._begin(step, run)
        if not run.begun and not run.steps:
            self.runs.remove(run)
            self._is_over(run)

    def finish(self, run: Run) -> None:
        """Let a run go on to its end."""
        while run in self.runs:
            self.advance(run)

    def truth(self, step: Step) -> object:
        """What a step would be made from now; None when something is not there, and a run would refuse."""
        horizon = self.horizon(step.asset)
        if "_data" in step.asset:
            over = horizon is not None or self.now >= edge(self.model.partitions, step.day + 1)
            return self._events(step) if over and self.has_arrived(step) else None
        data, model = self._upstream(step)
        if data is None or (horizon and model is None):
            return None
        return (data.data_version, model.id) if model else data.id

    def has_failed(self, step: Step) -> bool:
        """Whether the last attempt came to nothing, on what the step would be made from now, and by the same code."""
        begun = self.begun.get(step)
        if begun is None or not begun.failed:
            return False
        training = self.made.get(Step(self.model.asset("training_data"), step.day))
        if self.horizon(step.asset) and "_data" in step.asset and training and training.id > begun.id:
            return False  # it was verified against older training data
        return (begun.of, begun.code) == (self.truth(step), self.code[step.asset])

    def _begin(self, step: Step, run: Run) -> None:
        """Where a real world records that a step was begun."""

    def _is_over(self, run: Run) -> None:
        """Where a real world records that a run has ended."""

    def _end(self, step: Step, run: Run, *, fails: bool) -> None:
        reads_events = "_data" in step.asset
        if fails:
            self.begun[step] = replace(self.begun[step], failed=True)
            self._fail(step, run)
        elif reads_events and self._has_changed(step, run):
            run.lost = True
        else:
            rows = [(part, self.source[part[0]][part[1]].says) for part in self.window(step)]
            self._make(step, run, digest(rows if reads_events else self.begun[step].id))

    def _has_changed(self, step: Step, run: Run) -> bool:
        """Whether the events of a step changed while it read them."""
        return self._contents(step) != run.read

    def _refuse(self, step: Step) -> None:
        """Where a real world refuses what is not there."""

    def _contents(self, step: Step) -> object:
        return [self.source[log][day].times for log, day in self.window(step)] if "_data" in step.asset else None

    def _fail(self, step: Step, run: Run) -> None:
        """Where a real world records that a step failed."""

    def _make(self, step: Step, run: Run, data_version: str) -> None:
        begun = self.begun[step]
        self.made[step] = Record(self._id(), begun.inputs, begun.code, begun.of, begun.run, data_version)
        self.history.append(step)

    def _digest(self, step: Step) -> str:
        """The digest of a step's inputs, all of which are there."""
        horizon = self.horizon(step.asset)
        if "_data" in step.asset:
            arrivals = Arrivals(self.model.logs, self._arrived())
            return arrivals.inputs(needed(self.model, windows_of(self.model, step.day, horizon)))
        data, model = self._upstream(step)
        assert data
        return metrics_inputs(data, model) if model else model_inputs(data)

    def _upstream(self, step: Step) -> tuple[Made | None, Made | None]:
        """The data of a model or of a metric, and the model of a metric."""
        horizon = self.horizon(step.asset)
        data = self._fact(Step(self.model.asset("evaluation_data" if horizon else "training_data", horizon), step.day))
        return data, self._fact(Step(self.model.asset("model"), step.day)) if horizon else None

    def _events(self, step: Step) -> object:
        """The event partitions of a step, each with the writing that counts."""
        return [(part, self.counts(*part)) for part in self.window(step)]

    def _fact(self, step: Step) -> Made | None:
        record = self.made.get(step)
        return Made(record.id, record.data_version, None, None) if record else None

    def _arrived(self) -> dict[str, dict[str, str]]:
        calendars = {log.key: log.partitions for log in self.model.logs}
        return {
            log: {calendars[log].key(day): str(self.counts(log, day)) for day in days if self.arrived(log, day)}
            for log, days in self.source.items()
        }

    def _id(self) -> int:
        self._last_id += 1
        return self._last_id
