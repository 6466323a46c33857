"""The evaluation debt: which metrics should exist, which do on today's inputs, and why the others do not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ml_assets.domain.due import Facts, Made, State, Status
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import describe_missing
from ml_assets.domain.spec import Model
from ml_assets.domain.windows import evaluation_windows, matures_at, needed


class Cause(StrEnum):
    """Why a metric is, or is not, there on today's inputs."""

    DONE = "done"
    WAITING = "waiting"
    MISSING_INPUT = "missing input"
    DUE = "due"
    RUNNING = "running"
    FAILED = "failed"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Entry:
    """One model partition at one horizon.

    `matures_at`: the end of its outcomes' window. `asset` and `run`: what failed, and where.
    """

    partition: str
    horizon: Duration
    cause: Cause
    matures_at: datetime
    why: str = ""
    asset: str = ""
    run: str = ""


@dataclass(frozen=True)
class LateChange:
    """An event partition that changed after its restatement window, and the metrics by asset that hold it."""

    log: str
    partition: str
    metrics: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Debt:
    """The debt of one model. `outdated`: training data and models that nothing retrains by itself, with the reason."""

    entries: tuple[Entry, ...]
    outdated: Mapping[str, Mapping[str, str]]
    late: tuple[LateChange, ...]


def debt(model: Model, facts: Facts, found: Mapping[str, Mapping[str, Status]], *, as_of: datetime) -> Debt:
    """The debt of a model as of an instant.

    Args: `found`: the model's statuses on these facts at that instant.
    """
    entries: list[Entry] = []
    for horizon in sorted(model.evaluation.horizons, key=lambda one: one.elapsed):
        metrics, data = found[model.asset("metrics", horizon)], found[model.asset("evaluation_data", horizon)]
        for partition, status in metrics.items():
            matures = matures_at(model, model.partitions.index_of(partition), horizon)
            if status.state is State.DONE and data[partition].state is State.DONE:
                entries.append(Entry(partition, horizon, Cause.DONE, matures))
            else:
                entries.append(_Partition(model, facts, found, as_of, partition, horizon).entry(matures))
    outdated = {
        asset: {partition: one.why for partition, one in found[asset].items() if one.state is State.OUTDATED}
        for asset in (model.asset("training_data"), model.asset("model"))
    }
    return Debt(tuple(entries), {asset: of for asset, of in outdated.items() if of}, _late(model, facts, found))


@dataclass(frozen=True)
class _Partition:
    """One partition at one horizon, to be explained."""

    model: Model
    facts: Facts
    found: Mapping[str, Mapping[str, Status]]
    as_of: datetime
    partition: str
    horizon: Duration

    def entry(self, matures: datetime) -> Entry:
        cause, why, failed = self._cause()
        run = self.facts.failed[failed][self.partition].run if failed else ""
        return Entry(self.partition, self.horizon, cause, matures, why, failed, run)

    def _cause(self) -> tuple[Cause, str, str]:
        """The cause, its words, and the asset that failed, if one did."""
        model, horizon = self.model, self.horizon
        status = self._status("metrics")
        if status.state in (State.DONE, State.OUTDATED):
            outdated = next((step for step in ("evaluation_data", "metrics") if self._is(step, State.OUTDATED)), None)
            if outdated:
                return Cause.STALE, f"{self._status(outdated).why} ({model.asset(outdated, horizon)})", ""
            return Cause.DONE, "", ""
        failed = next((asset for asset in self._assets() if self._blocks(asset)), "")
        if failed:
            return Cause.FAILED, f"{failed} failed", failed
        if self._made("metrics"):
            return Cause.STALE, self._stale(), ""
        return (*self._open(status), "")

    def _open(self, status: Status) -> tuple[Cause, str]:
        """The cause of a metric that does not exist, and for which nothing failed."""
        statuses = [self.found[asset][self.partition] for asset in self._assets()]
        if any(one.state is State.RUNNING for one in statuses):
            return Cause.RUNNING, ""
        overdue = self._overdue({**self._status("training_data").missing, **self._status("evaluation_data").missing})
        if overdue:
            return Cause.MISSING_INPUT, describe_missing(self.model, overdue)
        # What is due of the chain is launched now; the rest follows it.
        if any(one.state is State.DUE for one in statuses):
            return Cause.DUE, status.why
        return Cause.WAITING, status.why

    def _stale(self) -> str:
        """Why a metric that exists is not of today's inputs. Later materializations have greater ids."""
        data, model, metrics = (self._made(step) for step in ("evaluation_data", "model", "metrics"))
        if self._status("evaluation_data").state in (State.DUE, State.RUNNING):
            return "event partitions that it was made from changed"
        newer = {"its model was made again": model, "its evaluation data changed": data}
        reasons = [why for why, made in newer.items() if made and metrics and made.id > metrics.id]
        return " and ".join(reasons) or "it is being made again"

    def _overdue(self, missing: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
        """The missing event partitions that have ended: they could have arrived."""
        calendars = {log.key: log.partitions for log in self.model.logs}
        ended = {
            key: tuple(index for index in indices if calendars[key].interval(index).end <= self.as_of)
            for key, indices in missing.items()
        }
        return {key: indices for key, indices in ended.items() if indices}

    def _blocks(self, asset: str) -> bool:
        """Whether the metric waits for an asset that failed: a model that failed to be made again can be judged."""
        if self.found[asset][self.partition].state is not State.FAILED:
            return False
        return asset in self._assets()[2:] or self.partition not in self.facts.made.get(asset, {})

    def _assets(self) -> list[str]:
        """The chain of the metric, upstream first."""
        return [self._asset(step) for step in ("training_data", "model", "evaluation_data", "metrics")]

    def _asset(self, step: str) -> str:
        return self.model.asset(step, None if step in ("training_data", "model") else self.horizon)

    def _status(self, step: str) -> Status:
        return self.found[self._asset(step)][self.partition]

    def _is(self, step: str, state: State) -> bool:
        return self._status(step).state is state

    def _made(self, step: str) -> Made | None:
        return self.facts.made.get(self._asset(step), {}).get(self.partition)


def _late(model: Model, facts: Facts, found: Mapping[str, Mapping[str, Status]]) -> tuple[LateChange, ...]:
    changes = []
    for log in model.logs:
        for partition in sorted(facts.late.get(log.key, ())):
            index = log.partitions.index_of(partition)
            metrics = {
                model.asset("metrics", horizon): tuple(
                    name
                    for name in found[model.asset("metrics", horizon)]
                    if index in _read(model, name, horizon).get(log.key, ())
                )
                for horizon in model.evaluation.horizons
            }
            changes.append(LateChange(log.key, partition, {asset: of for asset, of in metrics.items() if of}))
    return tuple(changes)


def _read(model: Model, partition: str, horizon: Duration) -> dict[str, range]:
    return needed(model, evaluation_windows(model, model.partitions.index_of(partition), horizon))
