"""The evaluation debt: which metrics should exist, which do on today's inputs, and why the others do not."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import describe_missing
from ml_assets.domain.owed.due import State, Status
from ml_assets.domain.owed.facts import Facts
from ml_assets.domain.windows import Needs, judged_until

Found = Mapping[str, Mapping[str, Status]]


class Cause(StrEnum):
    """Why a metric is, or is not, there on today's inputs."""

    DONE = "done"
    WAITING = "waiting"
    RUNNING = "running"
    DUE = "due"
    MISSING_INPUT = "missing input"
    NOT_LOOKED_AT = "not looked at yet"
    STALE = "stale"
    LOST = "lost"
    FAILED = "failed"


#: The causes that leave a metric owed: neither is it there, nor does it run, nor is it only a matter of time.
OWED = frozenset({Cause.DUE, Cause.MISSING_INPUT, Cause.NOT_LOOKED_AT, Cause.STALE, Cause.LOST, Cause.FAILED})


class Entry(NamedTuple):
    """One model partition at one horizon.

    `matures_at`: the end of its outcomes' window; `asset`: what failed, runs, is lost or due; `run`: where it failed.
    """

    partition: str
    horizon: Duration
    cause: Cause
    matures_at: datetime
    why: str = ""
    asset: str = ""
    run: str = ""

    def age(self, as_of: datetime) -> timedelta | None:
        """For how long it has been mature; None when it is not yet."""
        return as_of - self.matures_at if self.matures_at <= as_of else None


@dataclass(frozen=True)
class LateChange:
    """An event partition that changed after its restatement window, and the metrics, by asset, that read it."""

    log: str
    partition: str
    metrics: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Debt:
    """The debt of one model.

    `entries`: each expected partition at each horizon, once; `outdated`: the training data and models, by asset, that
    are outdated or lost, and that nothing makes again by itself, with the reason.
    """

    entries: tuple[Entry, ...]
    outdated: Mapping[str, Mapping[str, str]]
    late: tuple[LateChange, ...]


def debt(model: Model, facts: Facts, found: Found, *, as_of: datetime, unseen: Collection[str] = ()) -> Debt:
    """The debt of a model as of an instant.

    Args: `found`: the model's statuses on these facts at that instant; `unseen`: the logs at which nobody has looked,
    so that what is missing of them may be there.
    """
    index_of = model.partitions.index_of
    # Metrics are expected of partitions that a model is expected of.
    judged = {partition: judged_until(model, index_of(partition)) for partition in found[model.asset("model")]}
    entries: list[Entry] = []
    for horizon in sorted(model.evaluation.horizons, key=lambda one: one.elapsed):
        case, elapsed = _Horizon(model, facts, found, horizon, unseen), horizon.elapsed
        for partition, metrics in case.metrics.items():
            matures_at = judged[partition] + elapsed
            if metrics.state is State.DONE and case.data[partition].state is State.DONE:
                entries.append(Entry(partition, horizon, Cause.DONE, matures_at))
            else:
                entries.append(case.explain(partition, matures_at, as_of))
    return Debt(tuple(entries), _outdated(model, facts, found), _late(model, facts, found))


class _Horizon:
    """What is recorded and found of one model at one horizon."""

    def __init__(self, model: Model, facts: Facts, found: Found, horizon: Duration, unseen: Collection[str]) -> None:
        self.model, self.facts, self.found, self.horizon, self.unseen = model, facts, found, horizon, unseen
        self.training_asset, self.model_asset = model.asset("training_data"), model.asset("model")
        self.data_asset, self.metrics_asset = model.asset("evaluation_data", horizon), model.asset("metrics", horizon)
        self.data, self.metrics = found[self.data_asset], found[self.metrics_asset]
        self.calendars = {log.key: log.partitions for log in model.logs}

    def explain(self, partition: str, matures_at: datetime, as_of: datetime) -> Entry:
        """The entry of a metric that is not there on today's inputs."""
        chain = self._chain(partition)
        first: dict[State, str] = {}
        for asset in chain:
            first.setdefault(self.found[asset][partition].state, asset)
        missing = self._missing(partition, chain)
        overdue = self._ended(missing, as_of)
        cause, why, asset, run = Cause.DUE, "", "", ""
        # What is made of something that is lost fails: upstream comes first.
        broken = next((state for state in first if state in {State.LOST, State.FAILED}), None)
        if broken is State.LOST:
            cause, asset = Cause.LOST, first[State.LOST]
            why = f"{asset} is {self.found[asset][partition].why}"
        elif broken is State.FAILED:
            cause, asset = Cause.FAILED, first[State.FAILED]
            why, run = f"{asset} failed", self.facts.failed[asset][partition].run
        elif overdue and overdue.keys() <= set(self.unseen):
            cause, why = Cause.NOT_LOOKED_AT, f"no sensor has looked at {', '.join(overdue)}"
        elif overdue:
            known = {log: indices for log, indices in overdue.items() if log not in self.unseen}
            cause, why = Cause.MISSING_INPUT, describe_missing(self.model, known, self._refused(partition, chain))
        elif missing or first.get(State.WAITING) == self.training_asset:
            # Before it matures, that says enough, unless what is there already does not count.
            early = self._refused(partition, chain)
            cause, why = Cause.WAITING, early if as_of < matures_at else self.found[first[State.WAITING]][partition].why
        elif State.RUNNING in first:
            cause, asset = Cause.RUNNING, first[State.RUNNING]
            why = f"{asset} runs"
        elif partition in self.facts.made.get(self.metrics_asset, ()):
            cause, why = Cause.STALE, self._what_changed(partition)
        else:
            asset = first[State.DUE]
            why = f"{asset} is due"
        return Entry(partition, self.horizon, cause, matures_at, why, asset, run)

    def _chain(self, partition: str) -> list[str]:
        """What the metric needs that may be missing, upstream first, and itself: a model that exists can be judged."""
        chain = [self.data_asset, self.metrics_asset]
        if not self._is_there(self.model_asset, partition):
            chain.insert(0, self.model_asset)
            if not self._is_there(self.training_asset, partition):
                chain.insert(0, self.training_asset)
        return chain

    def _is_there(self, asset: str, partition: str) -> bool:
        facts = self.facts
        return partition in facts.made.get(asset, ()) and partition not in facts.lost.get(asset, ())

    def _missing(self, partition: str, chain: list[str]) -> dict[str, set[int]]:
        """The event partitions that have not arrived, by log."""
        missing: dict[str, set[int]] = {log: set() for log in self.calendars}
        for asset in chain:
            for log, indices in self.found[asset][partition].missing.items():
                missing[log].update(indices)
        return {log: indices for log, indices in missing.items() if indices}

    def _refused(self, partition: str, chain: list[str]) -> str:
        """Why event partitions that are there do not count."""
        return "; ".join(dict.fromkeys(why for asset in chain if (why := self.found[asset][partition].refused)))

    def _ended(self, missing: Mapping[str, set[int]], as_of: datetime) -> dict[str, set[int]]:
        """Those that could have arrived."""
        calendars = self.calendars
        ended = {log: {one for one in of if calendars[log].interval(one).end <= as_of} for log, of in missing.items()}
        return {log: indices for log, indices in ended.items() if indices}

    def _what_changed(self, partition: str) -> str:
        """Why a metric that exists is not that of today's inputs."""
        reasons = []
        if self.data[partition].state is State.DUE:
            reasons.append("the event partitions of its evaluation data changed")
        if self.data[partition].state is State.OUTDATED:
            reasons.append("the notebook or declaration of its evaluation data changed")
        if self.metrics[partition].state is State.OUTDATED:
            reasons.append("its notebook or declaration changed")
        data, model, metrics = (
            self.facts.made.get(asset, {}).get(partition)
            for asset in (self.data_asset, self.model_asset, self.metrics_asset)
        )
        if data and model and metrics and metrics.inputs:
            # As `metrics_inputs` writes them.
            rows, _, judged = metrics.inputs.rpartition("-")
            if judged != str(model.id):
                reasons.append("its model was made again")
            if rows != data.data_version:
                reasons.append("the rows of its evaluation data changed")
        return " and ".join(reasons) or "what it was made from is not known"


def _outdated(model: Model, facts: Facts, found: Found) -> dict[str, dict[str, str]]:
    outdated: dict[str, dict[str, str]] = {}
    for asset in (model.asset("training_data"), model.asset("model")):
        made = facts.made.get(asset, {})
        for partition, status in found[asset].items():
            if status.state in {State.OUTDATED, State.LOST}:
                outdated.setdefault(asset, {})[partition] = status.why
            elif status.state is State.FAILED and partition in made:
                outdated.setdefault(asset, {})[partition] = f"to make it again failed {status.why}"
    return outdated


def _late(model: Model, facts: Facts, found: Found) -> tuple[LateChange, ...]:
    late = {
        log.key: sorted(map(log.partitions.index_of, facts.late[log.key]))
        for log in model.logs
        if facts.late.get(log.key)
    }
    readers: dict[tuple[str, int], dict[str, list[str]]] = {(log, one): {} for log, of in late.items() for one in of}
    for horizon in model.evaluation.horizons if late else ():
        asset, needs = model.asset("metrics", horizon), Needs(model, horizon)
        for partition in (name for name in found[asset] if name in facts.made.get(asset, ())):
            needed = needs.of(model.partitions.index_of(partition))
            for log, indices in late.items():
                for index in indices:
                    if index in needed[log]:
                        readers[log, index].setdefault(asset, []).append(partition)
    calendars = {log.key: log.partitions for log in model.logs}
    return tuple(
        LateChange(log, calendars[log].key(index), {asset: tuple(names) for asset, names in of.items()})
        for (log, index), of in readers.items()
    )
