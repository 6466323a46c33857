"""What a backfill would make, why, and in which runs: a pure function of the same statuses that `due` judges.

`due` launches by itself what nobody has to decide. A plan is what a person asks for: it makes again what is outdated,
tries again what failed, and follows each such partition to what is made from it.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import parse_duration
from ml_assets.domain.errors import SpecError
from ml_assets.domain.owed.due import State, Status
from ml_assets.domain.owed.facts import Facts
from ml_assets.domain.owed.lost import describe_lost
from ml_assets.domain.owed.runs import RunSize, comes_after, group


class Kind(StrEnum):
    """Why a partition is made: there is none (any more), or the one that there is was made of other inputs or code."""

    MISSING = "missing"
    STALE = "stale"


@dataclass(frozen=True)
class Want:
    """Why a partition of an asset is to be made."""

    kind: Kind
    why: str


@dataclass(frozen=True)
class PlannedRun:
    """A run of some assets of one model, over contiguous partitions.

    `wants`: by asset and partition; `order`: the start of its oldest partition, or the order of a run that it needs,
    where that is later.
    """

    model: str
    assets: tuple[str, ...]
    partitions: tuple[str, ...]
    wants: Mapping[tuple[str, str], Want]
    order: datetime

    @property
    def items(self) -> list[tuple[str, str]]:
        """What it makes, in order: asset and partition."""
        return [(asset, partition) for asset in self.assets for partition in self.partitions]


@dataclass(frozen=True)
class Budget:
    """How much may be run: a number of runs, or of seconds that their notebooks take together."""

    runs: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.runs} runs" if self.runs is not None else f"{self.seconds:.0f} s"

    @classmethod
    def parse(cls, text: object, *, key: str) -> "Budget":
        """Read `50 runs` or a duration such as `30m`.

        Raises: SpecError.
        """
        counted = re.fullmatch(r"(\d+) runs?", text) if isinstance(text, str) else None
        if counted and int(counted[1]):
            return cls(runs=int(counted[1]))
        if isinstance(text, str) and (seconds := re.fullmatch(r"([1-9]\d*)s", text)):
            return cls(seconds=int(seconds[1]))
        try:
            return cls(seconds=parse_duration(text, key=key).elapsed.total_seconds())
        except SpecError:
            raise SpecError(key, text, "write a number of runs or a time, such as `50 runs` or 30m") from None

    def cut(self, runs: Sequence[PlannedRun], seconds: Mapping[str, float]) -> list[PlannedRun]:
        """The first runs that the budget allows.

        Args: `seconds`: that a partition takes, by asset; those without history count as nothing.
        """
        allowed, spent = [], 0.0
        for run in runs[: self.runs]:
            spent += estimate(run, seconds)
            if self.seconds is not None and spent > self.seconds:
                break
            allowed.append(run)
        return allowed


def estimate(run: PlannedRun, seconds: Mapping[str, float]) -> float:
    """The seconds that a run's notebooks take, by what each asset takes a partition."""
    return sum(seconds.get(asset, 0.0) for asset, _ in run.items)


@dataclass(frozen=True)
class Plan:
    """The runs to make, oldest partitions first and each after those that it needs; and what cannot be made, and why.

    `blocked`: by asset and partition; `left_out`: likewise, what failed and is of a kind that is not planned.
    """

    runs: Sequence[PlannedRun]
    blocked: Mapping[str, Mapping[str, str]]
    left_out: Mapping[str, Mapping[str, Want]]


def plan(
    model: Model,
    facts: Facts,
    found: Mapping[str, Mapping[str, Status]],
    *,
    assets: Collection[str],
    kinds: Collection[Kind] = tuple(Kind),
    span: range | None = None,
    only: Callable[[str, str], bool] = lambda *_: True,
    size: RunSize,
) -> Plan:
    """Plan a model's partitions.

    Args: `found`: the model's statuses on these facts; `assets`: those that may be made; `kinds`: what counts as to be
    made; `span`: the partitions that may be made, by index; `only`: whether a partition of an asset may be made;
    `size`: how many partitions a run holds.
    """

    def may_make(asset: str, partition: str) -> bool:
        return (span is None or model.partitions.index_of(partition) in span) and only(asset, partition)

    planner = _Planner(model, facts, found, frozenset(assets), frozenset(kinds), may_make)
    wanted = planner.wanted()
    first, orders = comes_after(model), dict[tuple[str, str], datetime]()
    runs = []
    # Training comes first here, so that the order of what a run needs is known.
    for run_assets, partitions in group(model, wanted, size=size):
        items = [(asset, partition) for asset in run_assets for partition in partitions]
        needed = [(one, partition) for asset, partition in items for one in first[asset]]
        begins = model.partitions.interval(model.partitions.index_of(partitions[0])).start
        order = max([begins, *(orders[one] for one in needed if one in orders)])
        orders.update(dict.fromkeys(items, order))
        wants = {(asset, partition): wanted[asset][partition] for asset, partition in items}
        runs.append(PlannedRun(model.name, run_assets, partitions, wants, order))
    return Plan(in_order(runs), planner.blocked, planner.left_out)


def in_order(runs: Iterable[PlannedRun]) -> list[PlannedRun]:
    """The runs, oldest partitions first and each after those that it needs."""
    return sorted(runs, key=lambda run: run.order)


class _Planner:
    def __init__(  # noqa: PLR0917
        self,
        model: Model,
        facts: Facts,
        found: Mapping[str, Mapping[str, Status]],
        assets: frozenset[str],
        kinds: frozenset[Kind],
        may_make: Callable[[str, str], bool],
    ) -> None:
        self._model = model
        self._facts = facts
        self._found = found
        self._assets = assets
        self._kinds = kinds
        self._may_make = may_make
        self._wanted: dict[str, dict[str, Want]] = {}
        self.blocked: dict[str, dict[str, str]] = {}
        self.left_out: dict[str, dict[str, Want]] = {}

    def wanted(self) -> dict[str, dict[str, Want]]:
        model = self._model
        training_data, trained = model.asset("training_data"), model.asset("model")
        self._choose(training_data, ())
        self._choose(trained, (training_data,))
        for horizon in model.evaluation.horizons:
            data, metrics = model.asset("evaluation_data", horizon), model.asset("metrics", horizon)
            # Evaluation data reads no model; that it comes after one is a matter of order.
            self._choose(data, (), after=trained)
            self._choose(metrics, (data, trained))
        return self._wanted

    def _choose(self, asset: str, inputs: Sequence[str], *, after: str | None = None) -> None:
        wanted = self._wanted[asset] = {}
        if asset not in self._assets:
            return
        for partition, status in self._found[asset].items():
            if not self._may_make(asset, partition):
                continue
            remade = [one for one in inputs if partition in self._wanted[one]]
            want = self._want(asset, partition, status, remade)
            if want is None:
                continue
            if want.kind not in self._kinds:
                if status.state is State.FAILED:
                    self.left_out.setdefault(asset, {})[partition] = want
                continue
            if why := self._obstacle(partition, status, inputs, after):
                self.blocked.setdefault(asset, {})[partition] = why
            else:
                wanted[partition] = want

    def _want(self, asset: str, partition: str, status: Status, remade: Sequence[str]) -> Want | None:
        """Why a partition is to be made; None where it exists as it should, or is being made."""
        if status.state is State.RUNNING:
            return None
        if partition in self._facts.lost.get(asset, {}):
            return Want(Kind.MISSING, describe_lost(self._facts.lost[asset][partition]))
        if partition not in self._facts.made.get(asset, {}):
            return Want(Kind.MISSING, f"failed {status.why}" if status.state is State.FAILED else "")
        why = ""
        if remade:
            why = f"its {' and '.join(map(self._step, remade))} made again"
        elif status.state is State.FAILED:
            why = f"failed {status.why}"
        elif status.state in {State.DUE, State.OUTDATED}:
            why = status.why
        elif status.state is State.WAITING and status.inputs not in {None, self._facts.made[asset][partition].inputs}:
            # Evaluation data that was made by hand, of a model that does not exist yet.
            why = "its event partitions changed"
        return Want(Kind.STALE, why) if why else None

    def _obstacle(self, partition: str, status: Status, inputs: Sequence[str], after: str | None) -> str:
        """Why a partition cannot be made; empty where it can."""
        for one in (*inputs, *((after,) if after else ())):
            lost = one in inputs and partition in self._facts.lost.get(one, {})
            if partition not in self._wanted[one] and (lost or partition not in self._facts.made.get(one, {})):
                upstream = self._found[one][partition]
                if lost and upstream.state is not State.RUNNING:
                    return f"its {self._step(one)} is {describe_lost(self._facts.lost[one][partition])}"
                known = upstream.state in {State.WAITING, State.RUNNING}
                state = f"{upstream.state} {upstream.why}".rstrip() if known else "missing"
                return status.why if status.missing else f"its {self._step(one)} is {state}"
        if inputs:
            return ""
        waits = status.missing or (status.state is State.WAITING and after is None)
        return status.why if waits else ""

    def _step(self, asset: str) -> str:
        return asset.removeprefix(f"{self._model.name}/").replace("_", " ")
