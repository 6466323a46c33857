"""What is due, waiting, running, failed or outdated, as one pure function of recorded facts.

The function keeps no state: a lost tick, a restart, a correction during a run or a failed run cannot make it
forget or repeat anything, because the next call sees the facts as they are then.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ml_assets.domain.calendar import contiguous
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrived, describe_missing, maturity
from ml_assets.domain.spec import Model
from ml_assets.domain.versions import digest
from ml_assets.domain.windows import rows_known_by, windows_of


@dataclass(frozen=True)
class Made:
    """The current materialization of a partition.

    `id`: which materialization it is; `data_version`: hash of its content; `inputs`: digest of what it was made
    from, None when that is not known; `code`: version of the code that made it.
    """

    id: int
    data_version: str
    inputs: str | None
    code: str | None


@dataclass(frozen=True)
class Attempt:
    """The latest attempt to make a partition, which failed, or was stopped by a person, in `run`."""

    inputs: str
    code: str
    run: str = ""


@dataclass(frozen=True)
class Facts:
    """What is recorded. Everything but `arrived` is by asset key, then by partition key."""

    arrived: Arrived
    made: Mapping[str, Mapping[str, Made]] = field(default_factory=dict)
    failed: Mapping[str, Mapping[str, Attempt]] = field(default_factory=dict)
    running: Mapping[str, frozenset[str]] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)


class State(StrEnum):
    """The state of one partition of one asset."""

    DONE = "done"
    DUE = "due"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    OUTDATED = "outdated"


@dataclass(frozen=True)
class Status:
    """A state and its cause in words.

    `inputs`: digest of the inputs as they are now, where known. `missing`: the event partitions that it waits for, as
    indices by log key.
    """

    state: State
    why: str = ""
    inputs: str | None = None
    missing: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """A run to launch: some assets of one model, over contiguous partitions."""

    assets: tuple[str, ...]
    partitions: tuple[str, ...]
    #: Equal for equal inputs, code and materializations, and for nothing else.
    key: str


def training_inputs(event_inputs: str) -> str:
    """The inputs of training or evaluation data: the event partitions read."""
    return digest("events", event_inputs)


def model_inputs(training_data: Made) -> str:
    """The inputs of a model: one materialization of its training data."""
    return digest("training_data", training_data.id)


def metrics_inputs(evaluation_data: Made, model: Made) -> str:
    """The inputs of metrics: the rows of the evaluation data, and one materialization of the model.

    Evaluation data that was made again with equal rows changes nothing; a remade model is judged anew.
    """
    return digest("metrics", evaluation_data.data_version, model.id)


def statuses(model: Model, facts: Facts, *, as_of: datetime) -> dict[str, dict[str, Status]]:
    """The status of every expected partition of every asset of a model.

    Expected are the partitions whose cutoff is not after `as_of`, from the model's first on.
    Returns: by asset key, then by partition key.
    """
    return _Judge(model, facts, as_of).all()


def due(
    model: Model, facts: Facts, found: Mapping[str, Mapping[str, Status]], *, partitions_per_run: int
) -> list[Request]:
    """The runs to launch now, oldest partitions first: what is due, by contiguous partitions that need the same assets.

    Args: `found`: the model's statuses on these facts.
    """
    result = []
    for chain in _chains(model):
        by_assets: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for partition in found[chain[0]]:
            assets = tuple(asset for asset in chain if found[asset][partition].state is State.DUE)
            if assets:
                by_assets[assets].append(model.partitions.index_of(partition))
        for assets, indices in by_assets.items():
            for run in contiguous(sorted(indices)):
                for start in range(run.start, run.stop, partitions_per_run):
                    part = range(start, min(start + partitions_per_run, run.stop))
                    partitions = tuple(model.partitions.key(index) for index in part)
                    result.append(Request(assets, partitions, _key(assets, partitions, facts, found)))
    return sorted(result, key=lambda request: request.partitions[0])


def _chains(model: Model) -> list[tuple[str, ...]]:
    """Assets that one run makes, in order."""
    training = (model.asset("training_data"), model.asset("model"))
    evaluations = [(model.asset("evaluation_data", h), model.asset("metrics", h)) for h in model.evaluation.horizons]
    return [training, *evaluations]


def _key(
    assets: tuple[str, ...],
    partitions: tuple[str, ...],
    facts: Facts,
    found: Mapping[str, Mapping[str, Status]],
) -> str:
    return digest(
        *(
            (asset, partition, found[asset][partition].inputs, facts.code.get(asset), _id(facts, asset, partition))
            for asset in assets
            for partition in partitions
        )
    )


def _id(facts: Facts, asset: str, partition: str) -> int | None:
    made = facts.made.get(asset, {}).get(partition)
    return made.id if made else None


class _Judge:
    """Judges the partitions of one model, upstream assets first."""

    def __init__(self, model: Model, facts: Facts, as_of: datetime) -> None:
        self.model = model
        self.facts = facts
        self.as_of = as_of

    def all(self) -> dict[str, dict[str, Status]]:
        model, found = self.model, defaultdict[str, dict[str, Status]](dict)
        for index in model.partitions.complete_before(self.as_of)[model.first_index :]:
            partition = model.partitions.key(index)
            training = found[model.asset("training_data")][partition] = self._data(index, partition, None)
            trained = found[model.asset("model")][partition] = self._model(partition, training)
            for horizon in model.evaluation.horizons:
                data = self._evaluation_data(index, partition, horizon, trained)
                found[model.asset("evaluation_data", horizon)][partition] = data
                found[model.asset("metrics", horizon)][partition] = self._metrics(partition, horizon, data, trained)
        for asset in (asset for chain in _chains(model) for asset in chain):
            found.setdefault(asset, {})
        return dict(found)

    def _data(self, index: int, partition: str, horizon: Duration | None) -> Status:
        step = "training_data" if horizon is None else "evaluation_data"
        asset = self.model.asset(step, horizon)
        windows = windows_of(self.model, index, horizon)
        state = maturity(self.model, windows, self.facts.arrived)
        if not state.mature:
            if made := self._made(asset, partition):
                return Status(State.DONE, inputs=made.inputs)
            why = f"for {describe_missing(self.model, state.missing)}"
            return Status(State.WAITING, why, missing=state.missing)
        known_by = rows_known_by(self.model, windows)
        if self._made(asset, partition) is None and known_by is not None and self.as_of < known_by:
            return Status(State.WAITING, f"for rows that become known before {known_by.isoformat()}")
        changed = State.OUTDATED if horizon is None else State.DUE
        return self._settle(asset, partition, training_inputs(state.inputs), "its event partitions changed", changed)

    def _model(self, partition: str, training: Status) -> Status:
        training_data = self._made(self.model.asset("training_data"), partition)
        asset = self.model.asset("model")
        if training_data is None:
            return self._follow(asset, partition, training, "training data")
        wanted = model_inputs(training_data)
        return self._settle(asset, partition, wanted, "its training data was made again", State.OUTDATED)

    def _evaluation_data(self, index: int, partition: str, horizon: Duration, trained: Status) -> Status:
        status = self._data(index, partition, horizon)
        if status.state is State.DUE and self._made(self.model.asset("model"), partition) is None:
            return Status(State.WAITING, f"for the model of {partition} ({trained.state})")
        return status

    def _metrics(self, partition: str, horizon: Duration, data: Status, trained: Status) -> Status:
        asset = self.model.asset("metrics", horizon)
        evaluation_data = self._made(self.model.asset("evaluation_data", horizon), partition)
        model = self._made(self.model.asset("model"), partition)
        if evaluation_data is None:
            return self._follow(asset, partition, data, "evaluation data")
        if model is None:
            # Evaluation data that was launched by hand.
            return self._follow(asset, partition, trained, "model", behind=State.WAITING)
        if data.state is not State.DONE and data.state is not State.OUTDATED:
            # Whether the rows change is known only when the evaluation data has been made again.
            return self._follow(asset, partition, data, "evaluation data", behind=State.WAITING)
        return self._settle(asset, partition, metrics_inputs(evaluation_data, model), "its inputs changed", State.DUE)

    def _follow(self, asset: str, partition: str, upstream: Status, name: str, *, behind: State = State.DUE) -> Status:
        """The status of an asset whose upstream partition is not there yet."""
        if partition in self.facts.running.get(asset, ()):
            return Status(State.RUNNING)
        if upstream.state is State.DUE:
            return Status(behind, f"after its {name}")
        if upstream.state is State.WAITING:
            return upstream
        return Status(State.WAITING, f"for its {name} ({upstream.state})")

    def _settle(self, asset: str, partition: str, wanted: str, cause: str, changed: State) -> Status:
        """The status of an asset whose inputs are there: `wanted` is their digest."""
        made, failed = self._made(asset, partition), self.facts.failed.get(asset, {}).get(partition)
        code = self.facts.code.get(asset)
        if partition in self.facts.running.get(asset, ()):
            return Status(State.RUNNING, inputs=wanted)
        if made and made.inputs == wanted:
            outdated = made.code is not None and made.code != code
            return Status(
                State.OUTDATED if outdated else State.DONE,
                "its notebook or declaration changed" if outdated else "",
                wanted,
            )
        if failed and failed.inputs == wanted and failed.code == code:
            return Status(State.FAILED, f"on its present inputs, in run {failed.run}", wanted)
        if made:
            return Status(changed, cause, wanted)
        return Status(State.DUE, inputs=wanted)

    def _made(self, asset: str, partition: str) -> Made | None:
        return self.facts.made.get(asset, {}).get(partition)
