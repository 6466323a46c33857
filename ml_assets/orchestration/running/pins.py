"""Pins what one partition of one step is made from, at the start of its run, and refuses what is not there.

The pins are what lineage records: event partitions with their fingerprints, upstream artifacts with their versions.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from ml_assets.data.artifacts.store import ArtifactStore, load_artifact
from ml_assets.domain.agreement import Agreement, describe_misfits
from ml_assets.domain.contents import Wanted
from ml_assets.domain.declared.event_log import EventLog
from ml_assets.domain.declared.spec import Model
from ml_assets.domain.durations import Duration
from ml_assets.domain.maturity import Arrivals, ImmatureWindowError, describe_missing
from ml_assets.domain.owed.facts import metrics_inputs, model_inputs
from ml_assets.domain.restatement import version_of
from ml_assets.domain.windows import Windows, last_index, needed, rows_known_by, windows_of
from ml_assets.orchestration.arrival.contents import look_into
from ml_assets.orchestration.arrival.sources import Answer, ask
from ml_assets.orchestration.recorded.current import LostError, UpstreamPin, load_version, recorded_version
from ml_assets.orchestration.recorded.facts import read_arrived
from ml_assets.orchestration.recorded.memo import Memo
from ml_assets.paths import AnyPath

_UPSTREAM = {
    "training_data": (),
    "model": ("training_data",),
    "evaluation_data": (),
    "metrics": ("evaluation_data", "model"),
}


class MissingInputError(Exception):
    """A partition was asked for whose upstream partition, of `asset`, does not exist."""

    def __init__(self, asset: str, partition: str, remedy: str = "materialize it first") -> None:
        super().__init__(f"{asset} {partition} does not exist; {remedy}")
        self.asset = asset


class ChangedWhileReadError(Exception):
    """An event partition was written while a notebook read it."""


@dataclass(frozen=True)
class EventPins:
    """The event partitions of a step's windows, as they were at the start (`as_of`): their fingerprints by log.

    `inputs`: the digest of their versions that count.
    """

    windows: Windows
    as_of: datetime
    fingerprints: Mapping[str, Mapping[str, str]]
    inputs: str


@dataclass(frozen=True)
class Pins:
    """Everything that one partition of one step is made from; `inputs` is its digest, as `due` computes it."""

    inputs: str
    upstream: Mapping[str, UpstreamPin]
    events: EventPins | None


def pin(
    instance: dg.DagsterInstance,
    model: Model,
    step: str,
    horizon: Duration | None,
    partition: str,
    *,
    as_of: datetime,
    events_root: AnyPath,
    store: ArtifactStore,
    runs: Collection[str] = (),
) -> Pins:
    """Find the inputs of a partition as they are now.

    Args: `runs`: upstream versions that these made are taken instead of the current ones.
    Raises: ImmatureWindowError when event partitions have not arrived, naming them, or when rows that training counts
    may still become known; MissingInputError when an upstream partition was not materialized, LostError when it was,
    and is lost.
    """
    if not _UPSTREAM[step]:
        events = pin_events(instance, model, horizon, partition, as_of, events_root)
        return Pins(events.inputs, {}, events)
    assets = upstream_assets(model, step, horizon)
    made = {name: recorded_version(instance, asset, partition, runs) for name, asset in assets.items()}
    for name, asset in assets.items():
        if made[name] is None:
            raise MissingInputError(asset, partition)
    there = {name: one for name, one in made.items() if one is not None}
    if step == "model":
        inputs = model_inputs(there["training_data"])
    else:
        inputs = metrics_inputs(there["evaluation_data"], there["model"])
    try:
        upstream = {name: load_version(store, assets[name], partition, one) for name, one in there.items()}
    except LostError as error:
        error.inputs = inputs
        raise
    return Pins(inputs, upstream, None)


def upstream_assets(model: Model, step: str, horizon: Duration | None) -> dict[str, str]:
    """The asset of each upstream step, by its name; none for the steps that read event logs."""
    return {name: model.asset(name, horizon if name == "evaluation_data" else None) for name in _UPSTREAM[step]}


def check_unchanged(model: Model, events: EventPins, events_root: AnyPath) -> None:
    """Refuse what was read while it changed.

    Raises: ChangedWhileReadError that names the event partitions; running again reads them anew.
    """
    # Of a folder that has gone meanwhile, nothing is there any more.
    begun: Mapping[str, Collection[str]] = dict.fromkeys(events.fingerprints, ())
    now = _ask(model, needed(model, events.windows), events_root, begun, events.as_of)
    for log, before in events.fingerprints.items():
        changed = sorted(partition for partition in before if now[log].arrived.get(partition) != before[partition])
        if changed:
            raise ChangedWhileReadError(
                f"{log} {', '.join(changed)} changed while it was read; run the partition again"
            )


def check_readable(model: Model, pins: Pins, events_root: AnyPath) -> None:
    """Refuse what could not be read, or changed meanwhile.

    Raises: as `check_unchanged` and `load_artifact`, or what the store raises that does not answer.
    """
    for upstream in pins.upstream.values():
        load_artifact(upstream.artifact.folder)
    if pins.events:
        check_unchanged(model, pins.events, events_root)


def pin_events(  # noqa: PLR0917
    instance: dg.DagsterInstance,
    model: Model,
    horizon: Duration | None,
    partition: str,
    as_of: datetime,
    root: AnyPath,
) -> EventPins:
    """The event partitions of a step's windows as they are now.

    Raises: ImmatureWindowError when some have not arrived, or rows that training counts may still become known.
    """
    index = model.partitions.index_of(partition)
    asset = model.asset("evaluation_data" if horizon else "training_data", horizon)
    last = last_index(model, horizon)
    if last is not None and index > last:
        ends = ", ".join(f"{log.key} before {log.partitions.end}" for log in model.logs if log.partitions.end)
        raise ImmatureWindowError(f"{asset} {partition} is never due: its window ends after the logs do ({ends})")
    windows = windows_of(model, index, horizon)
    parts = needed(model, windows)
    recorded = read_arrived(instance, model.logs)
    asked = _ask(model, parts, root, recorded, as_of)
    versions = {
        log.key: {
            name: version_of(log, name, recorded[log.key].get(name), found, as_of=as_of).accepted
            for name, found in asked[log.key].arrived.items()
        }
        for log in model.logs
    }
    # Whoever launches: no file that was not looked into reaches an engine.
    looked = look_into(instance, model.logs, root, asked, recorded=recorded, memo=Memo())
    arrivals = Arrivals(model.logs, versions, Agreement(Wanted.of_model(model), looked.seen))
    if not arrivals.mature(parts):
        edge = "outcomes within the horizon" if horizon else "rows of the training window"
        refused = describe_misfits(arrivals.misfits(parts))
        raise ImmatureWindowError(
            f"{asset} {partition} is immature: "
            f"{describe_missing(model, arrivals.missing(parts), refused)} has not arrived. "
            f"Without it, {edge} that are still to come would count as negatives or be missing."
            + "".join(f" Nothing has arrived yet: {one.absent}." for one in asked.values() if one.absent)
        )
    if windows.trains and as_of < (known_by := rows_known_by(model, windows)):
        raise ImmatureWindowError(
            f"{asset} {partition} is immature: rows of its window may become known until "
            f"{known_by.isoformat()} (known_delay), and it is {as_of.isoformat()}"
        )
    fingerprints = {log: dict(of.arrived) for log, of in asked.items()}
    return EventPins(windows, as_of, fingerprints, arrivals.inputs(parts))


def _ask(
    model: Model, parts: Mapping[str, range], root: AnyPath, recorded: Mapping[str, Collection[str]], as_of: datetime
) -> dict[str, Answer]:
    logs = {log.key: log for log in model.logs}
    return {
        key: ask(log, root, recorded[key], as_of=as_of, partitions=_keys(log, indices))
        for key, indices in parts.items()
        if (log := logs[key])
    }


def _keys(log: EventLog, indices: range) -> list[str]:
    """The partitions at some indices; there is none before the log's start or after its end."""
    keys = (log.partitions.key(index) for index in indices if index >= 0)
    return [key for key in keys if log.partitions.holds(key)]
