"""A world in memory that obeys requests as the real one does: sources, runs that take their time, and what is recorded.

A run pins its inputs when it begins a partition and refuses what is not there; it records that it began, and a
materialization if it ends well. The world also keeps the truth (`Record.of`): what a partition was really made from, so
that tests need not believe the digests. Days are counted from the first of the logs; a model is daily and in UTC.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_assets.domain.due import (
    Attempt,
    Facts,
    Made,
    Request,
    due,
    metrics_inputs,
    model_inputs,
    statuses,
)
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrivals
from ml_assets.domain.spec import Model
from ml_assets.domain.versions import digest
from ml_assets.domain.windows import needed, windows_of

DAY_0 = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Step:
    """One partition of one asset."""

    asset: str
    day: int


@dataclass(frozen=True)
class Record:
    """What is recorded of an attempt or of a materialization; `of` is what it was really made from."""

    id: int
    inputs: str
    code: str
    of: object
    run: str
    data_version: str = ""


@dataclass
class Run:
    """A run: steps that are still to come, and the one that it has begun."""

    name: str
    steps: list[Step]
    begun: Step | None = None
    holds: frozenset[Step] = field(init=False)

    def __post_init__(self) -> None:
        self.holds = frozenset(self.steps)


class World:
    """Sources, runs and records of one model. `source`: by log and day, how often it was written and what it says."""

    def __init__(self, model: Model, *, partitions_per_run: int = 3) -> None:
        self.model, self.partitions_per_run, self.days_over = model, partitions_per_run, 0
        self.source: dict[str, dict[int, tuple[int, int]]] = {log.key: {} for log in model.logs}
        self.made: dict[Step, Record] = {}
        self.begun: dict[Step, Record] = {}
        self.runs: list[Run] = []
        self.code = {asset: f"{asset} v0" for chain in self.chains for asset in chain}
        self.history: list[Step] = []
        self._last_id = self._launched = 0

    @property
    def chains(self) -> list[tuple[str, str]]:
        """The pairs of assets that follow one another in a run."""
        model = self.model
        evaluations = [
            (model.asset("evaluation_data", h), model.asset("metrics", h)) for h in model.evaluation.horizons
        ]
        return [(model.asset("training_data"), model.asset("model")), *evaluations]

    @property
    def first_day(self) -> int:
        """The first day whose training window lies inside the logs."""
        training = self.model.training
        return (training.window.elapsed + training.gap.elapsed).days - 1

    def horizon(self, asset: str) -> Duration | None:
        """The horizon of an asset; None for training data and models."""
        return next((h for h in self.model.evaluation.horizons if asset.endswith(f"_{h}")), None)

    def window(self, step: Step) -> set[tuple[str, int]]:
        """The event partitions that training or evaluation data reads, counted in days without the domain's windows."""
        model, cutoff, horizon = self.model, step.day + 1, self.horizon(step.asset)
        if horizon:
            end = cutoff + model.evaluation.window.elapsed.days
            exposures, outcomes = range(cutoff, end), range(cutoff, end + horizon.elapsed.days)
        else:
            gap = model.training.gap.elapsed.days
            start = cutoff - gap - model.training.window.elapsed.days
            exposures, outcomes = range(start, cutoff - gap), range(start, cutoff)
        logs = ((model.exposures.key, exposures), (model.outcomes.key, outcomes))
        return {(log, day) for log, days in logs for day in days}

    def arrive(self, log: str, day: int, *, says: int = 0) -> None:
        """Write an event partition, for the first time or again; `says` stands for its rows."""
        written = self.source[log].get(day, (0, 0))[0]
        self.source[log][day] = (written + 1, says)

    def has_arrived(self, step: Step) -> bool:
        """Whether all that a step reads from the logs has arrived."""
        return all(day in self.source[log] for log, day in self.window(step))

    def facts(self) -> Facts:
        """What is recorded, read as from an instance: a later attempt hides what a materialization was made of."""
        made: dict[str, dict[str, Made]] = {}
        failed: dict[str, dict[str, Attempt]] = {}
        for step, record in self.made.items():
            known = self.begun[step].id < record.id
            fact = Made(
                record.id, record.data_version, record.inputs if known else None, record.code if known else None
            )
            made.setdefault(step.asset, {})[self.key(step.day)] = fact
        for step, begun in self.begun.items():
            if step not in self.made or begun.id > self.made[step].id:
                failed.setdefault(step.asset, {})[self.key(step.day)] = Attempt(begun.inputs, begun.code, begun.run)
        running: dict[str, set[str]] = {}
        for step in (step for run in self.runs for step in run.holds):
            running.setdefault(step.asset, set()).add(self.key(step.day))
        frozen = {asset: frozenset(keys) for asset, keys in running.items()}
        return Facts(self._arrived(), made, failed, frozen, dict(self.code))

    def requests(self) -> list[Request]:
        """What is due now."""
        as_of = DAY_0 + timedelta(days=self.days_over)
        facts = self.facts()
        found = statuses(self.model, facts, as_of=as_of)
        return due(self.model, facts, found, partitions_per_run=self.partitions_per_run)

    def key(self, day: int) -> str:
        """The partition key of a day."""
        return f"{DAY_0 + timedelta(days=day):%Y-%m-%d}"

    def steps(self, request: Request) -> list[Step]:
        """The steps of a request, in the order in which a run takes them."""
        days = [self.model.partitions.index_of(partition) for partition in request.partitions]
        return [Step(asset, day) for asset in request.assets for day in days]

    def launch(self, steps: Iterable[Step]) -> None:
        """Start a run, also by hand; nothing is begun yet."""
        self._launched += 1
        self.runs.append(Run(f"r{self._launched}", list(steps)))

    def advance(self, run: Run, *, fails: bool = False) -> None:
        """Let a run begin its next step, or end the one that it has begun."""
        if run.begun:
            self._end(run.begun, fails=fails)
            run.begun = None
        elif run.steps:
            step = run.steps.pop(0)
            if pinned := self._pin(step):
                self.begun[step] = Record(self._id(), pinned[0], self.code[step.asset], pinned[1], run.name)
                run.begun = step
        if not run.begun and not run.steps:
            self.runs.remove(run)

    def finish(self, run: Run) -> None:
        """Let a run go on to its end."""
        while run in self.runs:
            self.advance(run)

    def truth(self, step: Step) -> object:
        """What a step would be made from now; None when something is not there."""
        pinned = self._pin(step)
        return pinned[1] if pinned else None

    def has_failed(self, step: Step) -> bool:
        """Whether the last attempt came to nothing, on what the step would be made from now, and by the same code."""
        begun, made = self.begun.get(step), self.made.get(step)
        if begun is None or (made and made.id > begun.id):
            return False
        return (begun.of, begun.code) == (self.truth(step), self.code[step.asset])

    def _end(self, step: Step, *, fails: bool) -> None:
        begun = self.begun[step]
        reads_events = "_data" in step.asset
        if fails or (reads_events and begun.of != self.truth(step)):
            return  # failed, or its events changed while it read them
        rows = (
            [(log, day, self.source[log][day][1]) for log, day in sorted(self.window(step))]
            if reads_events
            else begun.id
        )
        self.made[step] = Record(self._id(), begun.inputs, begun.code, begun.of, begun.run, digest(rows))
        self.history.append(step)

    def _pin(self, step: Step) -> tuple[str, Any] | None:
        """The digest of a step's inputs, and what they are; None where a run would refuse."""
        horizon = self.horizon(step.asset)
        if "_data" in step.asset:
            if not self.has_arrived(step):
                return None
            arrivals = Arrivals(self.model.logs, self._arrived())
            return arrivals.inputs(needed(self.model, windows_of(self.model, step.day, horizon))), [
                (part, self.source[part[0]][part[1]]) for part in sorted(self.window(step))
            ]
        data = self._fact(Step(self.model.asset("evaluation_data" if horizon else "training_data", horizon), step.day))
        model = self._fact(Step(self.model.asset("model"), step.day))
        if data is None or (horizon and model is None):
            return None
        if horizon and model:
            return metrics_inputs(data, model), (data.data_version, model.id)
        return model_inputs(data), data.id

    def _fact(self, step: Step) -> Made | None:
        record = self.made.get(step)
        return Made(record.id, record.data_version, None, None) if record else None

    def _arrived(self) -> dict[str, dict[str, str]]:
        return {
            log: {self.key(day): str(written) for day, written in days.items()} for log, days in self.source.items()
        }

    def _id(self) -> int:
        self._last_id += 1
        return self._last_id
