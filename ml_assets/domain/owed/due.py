"""What is due, waiting, running, failed or outdated, as one pure function of recorded facts.

The function keeps no state: a lost tick, a restart, a correction during a run or a failed run cannot make it
forget or repeat anything, because the next call sees the facts as they are then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from ml_assets.domain.agreement import Agreement, describe_misfits
from ml_assets.domain.contents import Wanted
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrivals, describe_missing, same_partitions
from ml_assets.domain.owed.facts import Facts, metrics_inputs, model_inputs
from ml_assets.domain.owed.lost import describe_lost
from ml_assets.domain.owed.runs import RunSize, group
from ml_assets.domain.versions import digest
from ml_assets.domain.windows import Needs, last_index, longest_delay, rows_known_by, training_windows


class State(StrEnum):
    """The state of one partition of one asset."""

    DONE = "done"
    DUE = "due"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    OUTDATED = "outdated"
    LOST = "lost"


class Status(NamedTuple):
    """A state and its cause in words.

    `inputs`: digest of the inputs as they are now, where known. `missing`: the event partitions that it waits for, also
    where it is lost, as indices by log key. `refused`: why some of these, which are there, do not count.
    """

    state: State
    why: str = ""
    inputs: str | None = None
    missing: Mapping[str, tuple[int, ...]] = MappingProxyType({})
    refused: str = ""


@dataclass(frozen=True)
class Request:
    """A run to launch: some assets of one model, over contiguous partitions."""

    assets: tuple[str, ...]
    partitions: tuple[str, ...]
    #: Equal for equal inputs, code and materializations, and for nothing else.
    key: str

    def singles(self) -> list["Request"]:
        """The same, one partition each."""
        return [replace(self, partitions=(one,), key=digest(self.key, one)) for one in self.partitions]


def statuses(model: Model, facts: Facts, *, as_of: datetime) -> dict[str, dict[str, Status]]:
    """The status of every expected partition of every asset of a model.

    Expected are the partitions whose cutoff is not after `as_of`, from the model's first to the last whose windows end
    with the logs.
    Returns: by asset key, then by partition key.
    """
    return _Judge(model, facts, as_of).all()


def basis(model: Model, facts: Facts, *, as_of: datetime) -> tuple[object, ...]:
    """All that the statuses of a model, and what is due, follow from: with equal ones both are equal."""
    calendar = model.partitions
    recorded = (facts.made, facts.failed, facts.running, facts.code, facts.lost)
    of_assets = [tuple(of.get(name) for of in recorded) for name in model.assets]
    # Attempts compare without their ids, which tell what came before.
    tried = [[attempt.id for attempt in facts.failed.get(name, {}).values()] for name in model.assets]
    arrived = [(facts.arrived.get(log.key), facts.seen.get(log.key)) for log in model.logs]
    # The clock matters for two questions: is a partition over, and may its rows still become known.
    over = calendar.complete_before(as_of)
    known = calendar.complete_before(as_of - longest_delay(model))
    return model, of_assets, tried, arrived, over, known


def due(model: Model, facts: Facts, found: Mapping[str, Mapping[str, Status]], *, size: RunSize) -> list[Request]:
    """The runs to launch now, oldest partitions first: what is due, by contiguous partitions that need the same assets.

    Args: `found`: the model's statuses on these facts; `size`: how many partitions a run holds.
    """
    wanted = {
        asset: [partition for partition, status in of.items() if status.state is State.DUE]
        for asset, of in found.items()
    }
    result = [
        Request(assets, partitions, _key(model, assets, partitions, facts, found))
        for assets, partitions in group(model, wanted, size=size)
    ]
    return sorted(result, key=lambda request: request.partitions[0])


def _key(
    model: Model,
    assets: tuple[str, ...],
    partitions: tuple[str, ...],
    facts: Facts,
    found: Mapping[str, Mapping[str, Status]],
) -> str:
    # Evaluation data that failed is tried again when its training data was made again.
    also = model.asset("training_data")
    return digest(
        *(
            (
                asset,
                partition,
                found[asset][partition].inputs,
                facts.code.get(asset),
                _id(facts, asset, partition),
                _id(facts, also, partition),
            )
            for asset in assets
            for partition in partitions
        )
    )


def _id(facts: Facts, asset: str, partition: str) -> int | None:
    made = facts.made.get(asset, {}).get(partition)
    return made.id if made else None


class _Asset:
    """What is recorded of one asset."""

    def __init__(self, name: str, facts: Facts) -> None:
        self.made = facts.made.get(name, {})
        self.failed = facts.failed.get(name, {})
        self.running = facts.running.get(name, frozenset())
        self.code = facts.code.get(name)
        self.lost = facts.lost.get(name, {})
        self.there = {name: of for name, of in self.made.items() if name not in self.lost} if self.lost else self.made
        self.found: dict[str, Status] = {}

    def note(self, partition: str, status: Status) -> None:
        """Keep the status of a partition, which was judged as if what is lost had never been."""
        if partition in self.lost and status.state in {State.DUE, State.WAITING}:
            waits = f"; it waits {status.why}" if status.state is State.WAITING else ""
            status = status._replace(state=State.LOST, why=f"{describe_lost(self.lost[partition])}{waits}")
        self.found[partition] = status

    def settle(self, partition: str, wanted: str, cause: str, changed: State, *, since: int = -1) -> Status:
        """The status of a partition whose inputs are there: `wanted` is their digest.

        Args: `since`: attempts that began before this id say nothing any more.
        """
        if partition in self.running:
            return Status(State.RUNNING, inputs=wanted)
        made, failed = self.there.get(partition), self.failed.get(partition)
        if made and made.inputs == wanted:
            if made.code is None or made.code == self.code:
                return Status(State.DONE, "", wanted)
            return Status(State.OUTDATED, "its notebook or declaration changed", wanted)
        if failed and failed.inputs == wanted and failed.code == self.code and failed.id > since:
            return Status(State.FAILED, f"on its present inputs, in run {failed.run}", wanted)
        if made:
            return Status(changed, cause, wanted)
        return Status(State.DUE, inputs=wanted)

    def follow(self, partition: str, upstream: Status, name: str, *, behind: State = State.DUE) -> Status:
        """The status of a partition whose upstream partition is not there yet."""
        if partition in self.running:
            return Status(State.RUNNING)
        if upstream.state is State.DUE:
            return Status(behind, f"after its {name}")
        if upstream.state is State.WAITING:
            return upstream
        return Status(State.WAITING, f"for its {name} ({upstream.state})")


class _Judge:
    """Judges the partitions of one model, upstream assets first."""

    def __init__(self, model: Model, facts: Facts, as_of: datetime) -> None:
        self.model = model
        self.as_of = as_of
        self.arrivals = Arrivals(model.logs, facts.arrived, Agreement(Wanted.of_model(model), facts.seen))
        self.assets = {name: _Asset(name, facts) for name in model.assets}
        self.training = self.assets[model.asset("training_data")]
        complete = model.partitions.complete_before(as_of)[model.first_index :]
        self.complete = [(index, model.partitions.key(index)) for index in complete]

    def all(self) -> dict[str, dict[str, Status]]:
        model = self.model
        training, trained = self.training, self.assets[model.asset("model")]
        needs = Needs(model, None)
        for index, partition in self._expected(None):
            training.note(partition, self._data(training, index, partition, needs))
            trained.note(partition, self._model(trained, training, partition))
        for horizon in model.evaluation.horizons:
            data = self.assets[model.asset("evaluation_data", horizon)]
            metrics = self.assets[model.asset("metrics", horizon)]
            needs = Needs(model, horizon)
            for index, partition in self._expected(horizon):
                status = self._data(data, index, partition, needs)
                if status.state is State.DUE and partition not in trained.made:
                    why = f"for the model of {partition} ({trained.found[partition].state})"
                    status = Status(State.WAITING, why, status.inputs)
                data.note(partition, status)
                metrics.note(partition, self._metrics(metrics, data, trained, partition))
        return {name: asset.found for name, asset in self.assets.items()}

    def _expected(self, horizon: Duration | None) -> Sequence[tuple[int, str]]:
        last = last_index(self.model, horizon)
        return self.complete if last is None else [one for one in self.complete if one[0] <= last]

    def _data(self, data: _Asset, index: int, partition: str, needs: Needs) -> Status:
        parts, trains = needs.of(index), needs.horizon is None
        made = data.there.get(partition)
        if not self.arrivals.mature(parts):
            if made:
                return Status(State.DONE, inputs=made.inputs)
            missing = self.arrivals.missing(parts)
            refused = describe_misfits(self.arrivals.misfits(parts))
            why = f"for {describe_missing(self.model, missing, refused)}"
            return Status(State.WAITING, why, missing=missing, refused=refused)
        if made is None and trains:
            known_by = rows_known_by(self.model, training_windows(self.model, index))
            if self.as_of < known_by:
                return Status(State.WAITING, f"for rows that become known before {known_by.isoformat()}")
        wanted = self.arrivals.inputs(parts)
        if made and made.inputs and not same_partitions(made.inputs, wanted):
            return data.settle(partition, wanted, "its declaration names other event partitions", State.OUTDATED)
        if trains:
            return data.settle(partition, wanted, "its event partitions changed", State.OUTDATED)
        # Evaluation data is verified against the training data, too: made again, that may pass.
        training_data = self.training.made.get(partition)
        since = training_data.id if training_data else -1
        return data.settle(partition, wanted, "its event partitions changed", State.DUE, since=since)

    def _model(self, trained: _Asset, training: _Asset, partition: str) -> Status:
        training_data = training.made.get(partition)
        if training_data is None:
            return trained.follow(partition, training.found[partition], "training data")
        why = "its training data was made again"
        return trained.settle(partition, model_inputs(training_data), why, State.OUTDATED)

    def _metrics(self, metrics: _Asset, data: _Asset, trained: _Asset, partition: str) -> Status:
        evaluation_data, model = data.made.get(partition), trained.made.get(partition)
        upstream = data.found[partition]
        if evaluation_data is None:
            return metrics.follow(partition, upstream, "evaluation data")
        if model is None:
            # Evaluation data that was launched by hand.
            return metrics.follow(partition, trained.found[partition], "model", behind=State.WAITING)
        if upstream.state not in {State.DONE, State.OUTDATED, State.LOST}:
            # Whether the rows change is known only when the evaluation data has been made again.
            return metrics.follow(partition, upstream, "evaluation data", behind=State.WAITING)
        wanted = metrics_inputs(evaluation_data, model)
        return metrics.settle(partition, wanted, "its inputs changed", State.DUE)
